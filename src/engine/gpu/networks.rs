//! From regions of pictures to the networks on the device, and back to numbers.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::{Device, Tensor, TensorData};

#[cfg(feature = "webgpu")]
use super::texture::{Texture, TextureSampler};
use super::{GpuPlan, ReadBack, ReadBackAnswer};
#[cfg(feature = "webgpu")]
use crate::engine::cpu::inputs::SIDE;
use crate::engine::cpu::{Squares, network_input};
#[cfg(feature = "webgpu")]
use crate::engine::region::Reduction;
use crate::engine::{EngineError, Outputs, Picture, Region, Task};
use crate::net::{NetworkKind, blaze_face};
use crate::weights::{Weights, WeightsError};

/// The most regions that go through a network at once; a bound on the device's memory.
const MOST_REGIONS: usize = 16;

/// The detector and a network that estimates age and gender on a device of burn's.
#[derive(Debug)]
pub struct GpuNetworks {
    detector: GpuPlan,
    network: GpuPlan,
    kind: NetworkKind,
    /// Of pictures in memory.
    squares: RefCell<Squares>,
    /// Of pictures on the device: the browser's.
    #[cfg(feature = "webgpu")]
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code))]
    sampler: Option<Rc<TextureSampler>>,
    read_back: ReadBack,
    device: Device,
}

/// Rows of numbers that are to be read back.
#[derive(Debug, Clone)]
pub struct Awaited {
    networks: Rc<GpuNetworks>,
    answer: ReadBackAnswer,
    rows: usize,
    of: AwaitedRows,
}

/// What the rows say.
#[derive(Debug, Clone, Copy)]
enum AwaitedRows {
    #[cfg_attr(not(feature = "webgpu"), allow(dead_code))]
    Brightness,
    Detections {
        side: usize,
    },
    Estimates,
}

impl GpuNetworks {
    /// On a device of burn's; only for pictures in memory.
    ///
    /// # Errors
    /// [`WeightsError`] for weights of other networks.
    pub fn new(detector: &Weights, network: &Weights, device: Device) -> Result<Self, WeightsError> {
        let kind = NetworkKind::of(network)?;
        Ok(Self {
            detector: GpuPlan::new(blaze_face::network(), detector, &device)?,
            network: GpuPlan::new(kind.network(), network, &device)?,
            kind,
            squares: RefCell::default(),
            #[cfg(feature = "webgpu")]
            sampler: None,
            read_back: ReadBack::default(),
            device,
        })
    }

    /// On the browser's device.
    ///
    /// # Errors
    /// [`EngineError::Unavailable`] where there is none, [`EngineError::Weights`] for weights of other
    /// networks.
    #[cfg(feature = "webgpu")]
    pub async fn start(detector: &Weights, network: &Weights) -> Result<Self, EngineError> {
        let started = Device::wgpu_options().init_with_setup_async().await;
        let (device, setup) = started.map_err(|e| EngineError::Unavailable {
            engine: crate::engine::EngineKind::WebGpu.name(),
            reason: e.to_string(),
        })?;
        let sampler = TextureSampler::new(&device, setup);
        Ok(Self { sampler: Some(sampler.into()), ..Self::new(detector, network, device)? })
    }

    /// Which network there is beside the detector.
    pub fn kind(&self) -> NetworkKind {
        self.kind
    }

    /// As [`TextureSampler::upload`].
    #[cfg(all(feature = "webgpu", target_arch = "wasm32"))]
    pub fn upload(&self, image: &wgpu::ExternalImageSource) -> Option<Texture> {
        self.sampler.as_ref()?.upload(image)
    }

    /// Begins to run on regions of a picture: as [`crate::engine::Engine::submit`].
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub fn submit(
        self: &Rc<Self>,
        task: Task,
        picture: Picture<'_>,
        regions: &[Region],
        outputs: &mut Outputs,
    ) -> Result<(), EngineError> {
        match picture {
            Picture::Memory(frame) => {
                let mut squares = self.squares.borrow_mut();
                let mut rest = squares.cut(&frame, regions, outputs);
                for part in
                    regions.chunk_by(|a, b| a.side == b.side).flat_map(|part| part.chunks(MOST_REGIONS))
                {
                    let (rgb, after) = rest.split_at(part.iter().map(Region::bytes).sum());
                    rest = after;
                    self.run(task, self.uploaded(task, rgb, part[0].side), part, outputs);
                }
            }
            #[cfg(feature = "webgpu")]
            Picture::Texture(texture) => {
                let reduction = Reduction::of(texture.size(), regions);
                let copy = reduction.map(|reduction| texture.reduced(&reduction));
                // Where each region is cut from: the copy or the picture.
                let from = |region: &Region| match reduction.and_then(|copy| copy.region(region)) {
                    Some(region) => (copy.as_ref().unwrap_or(texture), region),
                    None => (texture, *region),
                };
                let regions: Vec<_> = regions.iter().map(from).collect();
                let alike = |a: &(&Texture, Region), b: &(&Texture, Region)| {
                    a.1.side == b.1.side && std::ptr::eq(a.0, b.0)
                };
                for part in regions.chunk_by(alike).flat_map(|part| part.chunks(MOST_REGIONS)) {
                    let (texture, regions) =
                        (part[0].0, part.iter().map(|(_, region)| *region).collect::<Vec<_>>());
                    let input = &self.kind.network().input;
                    let input = if task == Task::Estimation && !input.is_whole(SIDE) {
                        texture.crops(&regions, &input.transforms().collect::<Vec<_>>(), input.side)?
                    } else {
                        texture.squares(&regions)?
                    };
                    self.run(task, input, &regions, outputs);
                }
            }
        }
        if task == Task::Estimation {
            // Handed over at once: the device computes while nobody waits.
            self.device.flush().map_err(|e| EngineError::Lost(e.to_string()))?;
        }
        Ok(())
    }

    /// The input of a network, `[N, side, side, 3]` from -1 to 1, of squares in memory of `side` x `side`
    /// pixels.
    fn uploaded(&self, task: Task, rgb: &[u8], side: usize) -> Tensor<4> {
        let (values, side): (Vec<f32>, _) = match task {
            Task::Detection => (rgb.iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect(), side),
            Task::Estimation => {
                let crops = rgb.chunks_exact(side * side * 3);
                (crops.flat_map(|crop| network_input(self.kind(), crop)).collect(), self.kind().side())
            }
        };
        let shape = [values.len() / (side * side * 3), side, side, 3];
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// Has a network run on the input of these regions.
    fn run(self: &Rc<Self>, task: Task, input: Tensor<4>, regions: &[Region], outputs: &mut Outputs) {
        let (plan, of) = match task {
            Task::Detection => (&self.detector, AwaitedRows::Detections { side: regions[0].side }),
            Task::Estimation => (&self.network, AwaitedRows::Estimates),
        };
        let values = plan.forward(input).flatten(0, 1);
        self.ask(values, regions.len(), of, outputs);
    }

    fn ask(self: &Rc<Self>, values: Tensor<1>, rows: usize, of: AwaitedRows, outputs: &mut Outputs) {
        let answer = self.read_back.ask(values);
        outputs.await_rows(Awaited { networks: self.clone(), answer, rows, of });
    }

    /// As [`crate::engine::Engine::submit_brightness`].
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    #[cfg(feature = "webgpu")]
    pub fn submit_brightness(
        self: &Rc<Self>,
        texture: &Texture,
        outputs: &mut Outputs,
    ) -> Result<(), EngineError> {
        self.ask(texture.brightness()?, 1, AwaitedRows::Brightness, outputs);
        Ok(())
    }
}

impl Awaited {
    /// Whether the numbers have been read back.
    pub fn is_here(&self) -> bool {
        self.answer.get().is_some()
    }

    /// Reads them back, unless they have been, and all others that the device was asked for.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    pub async fn wait(&self) -> Result<(), EngineError> {
        if self.is_here() { Ok(()) } else { self.networks.read_back.run().await }
    }

    /// Adds the rows to `outputs`.
    ///
    /// # Errors
    /// [`EngineError::Lost`] if they are not here.
    pub fn take_in(&self, outputs: &mut Outputs) -> Result<(), EngineError> {
        let numbers = self.answer.get().ok_or_else(|| EngineError::Lost("no answer".into()))?;
        for row in numbers.chunks_exact(numbers.len() / self.rows) {
            outputs.push(|out| match self.of {
                AwaitedRows::Brightness => out.extend(row),
                AwaitedRows::Detections { side } => self.networks.detector.numbers(row, side, out),
                AwaitedRows::Estimates => self.networks.network.numbers(row, self.networks.kind.side(), out),
            });
        }
        Ok(())
    }
}
