//! Pictures on the device, and the networks' inputs made of them there.
//!
//! The browser copies its own picture into a texture ([`Cutter::load`]). A compute shader (`cut.wgsl`) does with it what
//! [`Frame`](crate::picture::Frame) does in memory, for a list of squares at once, and writes into the memory behind one of burn's tensors.
//! No pixel comes back: only, where frames are compared, the mean brightness of cells.
//!
//! burn records its kernels and hands them over in batches. So before each run of the shader, what is recorded is handed over: the
//! memory of the tensor may have been another one's that is still to be read.

use std::cell::RefCell;
use std::rc::Rc;

use burn::backend::Wgpu;
use burn::cubecl::wgpu::{AutoCompiler, WgpuServer};
use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::wgpu::wgpu::{self, util::DeviceExt};
use burn::tensor::{Device, Tensor};

use super::reads::Answer;
#[cfg(target_arch = "wasm32")]
use super::reads::Reads;
use crate::engine::EngineError;
use crate::model::NetworkKind;
use crate::picture::{Border, Sampler, Similarity};
use crate::pipeline::scene::{CELLS, READ};
use crate::source::{Cut, Source};
use crate::vision::alignment;

/// The shader's workgroups are squares of this side.
const WORKGROUP: u32 = 8;

/// Aligned crops side by side, where M-CNN's pictures are cut out of them.
const ACROSS: usize = 16;

/// Takes pictures and cuts squares out of them, on the device that burn uses.
#[derive(Debug)]
pub struct Cutter {
    device: wgpu::Device,
    queue: wgpu::Queue,
    burn: Device,
    to_values: wgpu::ComputePipeline,
    to_texture: wgpu::ComputePipeline,
    to_cells: wgpu::ComputePipeline,
    /// The last picture's, for the next one of its size.
    texture: RefCell<Option<wgpu::Texture>>,
}

/// A picture in a texture, or a part of one.
#[derive(Debug, Clone)]
pub struct Picture {
    cutter: Rc<Cutter>,
    texels: wgpu::TextureView,
    /// The part of the texture that it is: left, top, width, height.
    part: [usize; 4],
    /// Black pixels all around that the texture lacks.
    border: usize,
    /// The brightness of its cells, if asked for.
    cells: Option<Answer>,
}

/// Where a square is to be cut.
#[derive(Debug, Clone)]
pub struct Place {
    cutter: Rc<Cutter>,
    texels: wgpu::TextureView,
    part: [usize; 4],
    transform: Similarity,
    outside: Border,
}

impl Cutter {
    /// For the device that `burn` is, by the handles of its setup.
    pub fn new(burn: &Device, setup: WgpuSetup) -> Self {
        let device = setup.device;
        let source =
            format!("const CELLS = {CELLS}u;\nconst READ = {READ}u;\n\n{}", include_str!("cut.wgsl"));
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: None,
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = |entry| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        Self {
            to_values: pipeline("to_values"),
            to_texture: pipeline("to_texture"),
            to_cells: pipeline("to_cells"),
            burn: burn.clone(),
            queue: setup.queue,
            texture: RefCell::default(),
            device,
        }
    }

    /// Takes a picture of the browser's, an `ImageBitmap` or a `VideoFrame` of `width` x `height` pixels, which stays the caller's.
    /// With `cells`, its cells' brightness is asked for.
    ///
    /// `None` where the browser refuses to copy it, or it is too large for a texture: it has to go through main memory then.
    ///
    /// # Errors
    /// [`EngineError::Lost`].
    #[cfg(target_arch = "wasm32")]
    pub fn load(
        self: &Rc<Self>,
        image: &wasm_bindgen::JsValue,
        [width, height]: [usize; 2],
        cells: bool,
        reads: &Reads,
    ) -> Result<Option<Picture>, EngineError> {
        let longest = self.device.limits().max_texture_dimension_2d as usize;
        if !(1..=longest).contains(&width) || !(1..=longest).contains(&height) {
            return Ok(None);
        }
        let same = |texture: &wgpu::Texture| {
            [texture.width(), texture.height()] == [width, height].map(|n| n as u32)
        };
        let kept = self.texture.take().filter(same);
        let texture = kept.unwrap_or_else(|| self.texture([width, height]));
        if browser::copy(&self.queue, image, &texture, [width, height]).is_none() {
            return Ok(None);
        }
        let mut picture = self.picture(&texture, [width, height]);
        self.texture.replace(Some(texture));
        if cells {
            picture.cells = Some(reads.ask(self.cells(&picture)?));
        }
        Ok(Some(picture))
    }

    fn texture(&self, size: [usize; 2]) -> wgpu::Texture {
        let [width, height] = size.map(|side| side as u32);
        self.device.create_texture(&wgpu::TextureDescriptor {
            label: None,
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8Unorm,
            // The browser draws its picture there.
            usage: wgpu::TextureUsages::COPY_DST
                | wgpu::TextureUsages::RENDER_ATTACHMENT
                | wgpu::TextureUsages::TEXTURE_BINDING
                | wgpu::TextureUsages::STORAGE_BINDING,
            view_formats: &[],
        })
    }

    fn picture(self: &Rc<Self>, texture: &wgpu::Texture, [width, height]: [usize; 2]) -> Picture {
        Picture {
            cutter: self.clone(),
            texels: texture.create_view(&wgpu::TextureViewDescriptor::default()),
            part: [0, 0, width, height],
            border: 0,
            cells: None,
        }
    }

    /// The brightness of [`CELLS`] x [`CELLS`] parts of a picture.
    fn cells(&self, picture: &Picture) -> Result<Tensor<1>, EngineError> {
        let whole = picture.place(&Similarity::new(1.0, 0.0, 0.0, 0.0), Border::Replicate);
        let side = CELLS as u32 / WORKGROUP;
        let cut = whole.words([0, 0, CELLS, CELLS]);
        self.fill([CELLS * CELLS], &self.to_cells, &picture.texels, &cut, [side, side, 1])
    }

    /// The squares of one texture as a network's input, `[N, side, side, 3]` from -1 to 1.
    fn values(&self, places: &[Place], side: usize) -> Result<Tensor<4>, EngineError> {
        let cuts: Vec<f32> = places.iter().flat_map(|place| place.words([0, 0, side, side])).collect();
        let groups = (side as u32).div_ceil(WORKGROUP);
        let shape = [places.len(), side, side, 3];
        self.fill(shape, &self.to_values, &places[0].texels, &cuts, [groups, groups, places.len() as u32])
    }

    /// A tensor that the shader fills.
    fn fill<const D: usize>(
        &self,
        shape: [usize; D],
        pipeline: &wgpu::ComputePipeline,
        from: &wgpu::TextureView,
        cuts: &[f32],
        groups: [u32; 3],
    ) -> Result<Tensor<D>, EngineError> {
        let lost = |e: &dyn std::fmt::Display| EngineError::Lost(e.to_string());
        let tensor = Tensor::<D>::empty(shape, &self.burn);
        let primitive = tensor.clone().try_into_primitive::<Wgpu>();
        let primitive = primitive.map_err(|e| EngineError::Lost(format!("{e:?}")))?;
        let client = primitive.client;
        let memory =
            client.get_resource::<WgpuServer<AutoCompiler>>(primitive.handle).map_err(|e| lost(&e))?;
        client.flush().map_err(|e| lost(&e))?;
        let to = wgpu::BindGroupEntry { binding: 2, resource: memory.resource().as_wgpu_bind_resource() };
        self.run(pipeline, from, cuts, to, groups);
        Ok(tensor)
    }

    fn run(
        &self,
        pipeline: &wgpu::ComputePipeline,
        from: &wgpu::TextureView,
        cuts: &[f32],
        to: wgpu::BindGroupEntry<'_>,
        [x, y, z]: [u32; 3],
    ) {
        let cuts = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(cuts),
            usage: wgpu::BufferUsages::STORAGE,
        });
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::TextureView(from) },
                wgpu::BindGroupEntry { binding: 1, resource: cuts.as_entire_binding() },
                to,
            ],
        });
        let mut commands = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(x, y, z);
        drop(pass);
        self.queue.submit([commands.finish()]);
    }

    /// A new texture with squares of others in it, each `place` cut to `left, top, width, height` of it.
    fn draw(&self, size: [usize; 2], places: &[(Place, [usize; 4])]) -> wgpu::Texture {
        let texture = self.texture(size);
        let to = texture.create_view(&wgpu::TextureViewDescriptor::default());
        let to = wgpu::BindGroupEntry { binding: 3, resource: wgpu::BindingResource::TextureView(&to) };
        let cuts: Vec<f32> = places.iter().flat_map(|(place, to)| place.words(*to)).collect();
        let (first, [_, _, width, height]) = &places[0];
        let groups = [*width, *height].map(|side| (side as u32).div_ceil(WORKGROUP));
        self.run(&self.to_texture, &first.texels, &cuts, to, [groups[0], groups[1], places.len() as u32]);
        texture
    }
}

/// The squares as a network's input, `[N, side, side, 3]`, or `None` for squares in memory.
pub(super) fn input<'a>(
    cuts: impl Iterator<Item = &'a Cut>,
    side: usize,
) -> Result<Option<Tensor<4>>, EngineError> {
    let Some(places) = places(cuts) else { return Ok(None) };
    places[0].cutter.values(&places, side).map(Some)
}

/// What [`alignment::network_input`] makes of aligned crops: `[N * crops, side, side, 3]`, or `None` for crops in memory.
pub(super) fn network_input(kind: NetworkKind, crops: &[Cut]) -> Result<Option<Tensor<4>>, EngineError> {
    let Some(places) = places(crops.iter()) else { return Ok(None) };
    let cutter = places[0].cutter.clone();
    if kind != NetworkKind::MCnn {
        return cutter.values(&places, alignment::SIDE).map(Some);
    }
    // As in memory, its pictures are cut out of the crops, not out of the picture itself.
    let part = |i: usize| {
        [i % ACROSS * alignment::SIDE, i / ACROSS * alignment::SIDE, alignment::SIDE, alignment::SIDE]
    };
    let size = [places.len().min(ACROSS), places.len().div_ceil(ACROSS)].map(|n| n * alignment::SIDE);
    let count = places.len();
    let places: Vec<_> = places.into_iter().enumerate().map(|(i, place)| (place, part(i))).collect();
    let texture = cutter.draw(size, &places);
    let crops = cutter.picture(&texture, size);
    let scales = alignment::scales(kind.side());
    let pictures: Vec<Place> = (0..count)
        .map(|i| Picture { part: part(i), ..crops.clone() })
        .flat_map(|crop| scales.map(|scale| crop.place(&scale, Border::Replicate)))
        .collect();
    let input = cutter.values(&pictures, kind.side()).map(Some);
    // Not when the browser thinks of it: a camera would leave many.
    texture.destroy();
    input
}

fn places<'a>(cuts: impl Iterator<Item = &'a Cut>) -> Option<Vec<Place>> {
    cuts.map(|cut| cut.place.clone()).collect::<Option<Vec<_>>>().filter(|places| !places.is_empty())
}

impl Picture {
    fn place(&self, transform: &Similarity, outside: Border) -> Place {
        let border = self.border as f32;
        Place {
            cutter: self.cutter.clone(),
            texels: self.texels.clone(),
            part: self.part,
            transform: transform.shifted(-border, -border),
            outside,
        }
    }
}

impl Place {
    /// As the shader reads it, cut to left, top, width, height.
    fn words(&self, to: [usize; 4]) -> [f32; 13] {
        let Similarity { a, b, tx, ty } = self.transform;
        let [left, top, width, height] = self.part.map(|n| n as f32);
        let black = f32::from(u8::from(self.outside == Border::Black));
        let [to_left, to_top, to_width, to_height] = to.map(|n| n as f32);
        [a, b, tx, ty, left, top, width, height, black, to_left, to_top, to_width, to_height]
    }
}

impl Source for Picture {
    type Made = Self;

    fn width(&self) -> usize {
        self.part[2] + 2 * self.border
    }

    fn height(&self) -> usize {
        self.part[3] + 2 * self.border
    }

    fn cut(
        &self,
        transform: &Similarity,
        _side: usize,
        border: Border,
        _sampler: &mut Sampler,
        out: &mut Cut,
    ) {
        out.rgb.clear();
        out.place = Some(self.place(transform, border));
    }

    fn shrunk(&self, scale: f32, size: [usize; 2]) -> Self {
        let whole = self.place(&Similarity::new(scale, 0.0, 0.0, 0.0), Border::Replicate);
        let texture = self.cutter.draw(size, &[(whole, [0, 0, size[0], size[1]])]);
        self.cutter.picture(&texture, size)
    }

    /// Only for squares with black outside, which need no pixels for it.
    fn padded(&self, share: f32) -> (Self, usize) {
        let border = (self.width().max(self.height()) as f32 * share).round() as usize;
        (Self { border: self.border + border, ..self.clone() }, border)
    }

    fn brightness(&self, cells: &mut Vec<f32>) {
        cells.clear();
        cells.extend(self.cells.as_ref().and_then(Answer::get).unwrap_or_default());
    }
}

/// What wgpu has a call for as well, which panics where the browser refuses.
#[cfg(target_arch = "wasm32")]
mod browser {
    use js_sys::{Array, Object, Reflect};
    use wasm_bindgen::prelude::*;

    use super::wgpu;

    #[wasm_bindgen]
    extern "C" {
        type Queue;

        #[wasm_bindgen(method, catch, js_name = copyExternalImageToTexture)]
        fn copy_external_image_to_texture(
            this: &Queue,
            source: &Object,
            destination: &Object,
            size: &Array,
        ) -> Result<(), JsValue>;
    }

    /// Copies a picture into a texture, or not: `None`.
    pub fn copy(
        queue: &wgpu::Queue,
        image: &JsValue,
        texture: &wgpu::Texture,
        size: [usize; 2],
    ) -> Option<()> {
        let (source, destination) = (Object::new(), Object::new());
        Reflect::set(&source, &"source".into(), image).ok()?;
        Reflect::set(&destination, &"texture".into(), texture.as_webgpu()?).ok()?;
        let size: Array = size.iter().map(|side| JsValue::from(*side as u32)).collect();
        let queue: &Queue = queue.as_webgpu()?.unchecked_ref();
        queue.copy_external_image_to_texture(&source, &destination, &size).ok()
    }
}
