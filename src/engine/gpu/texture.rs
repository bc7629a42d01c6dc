//! Pictures on the device, and the networks' inputs made of them there.
//!
//! The browser copies its own picture into a texture ([`TextureSampler::upload`]). A compute shader
//! (`sample.wgsl`) does with it what [`Frame`](crate::picture::Frame) does in memory, for a list of regions
//! at once, and writes into the memory behind one of burn's tensors. No pixel comes back.
//!
//! burn records its kernels and hands them over in batches. So before each run of the shader, what is
//! recorded is handed over: the memory of the tensor may have been another one's that is still to be read.
//!
//! Textures and buffers are destroyed once they have served: in a browser they would else be there until its
//! collector thinks of them, and a camera would leave many.

use std::cell::RefCell;
use std::rc::Rc;

use burn::tensor::{Device, Tensor};
use burn_wgpu::{AutoCompiler, Wgpu, WgpuSetup};
use cubecl_wgpu::WgpuServer;
use wgpu::util::DeviceExt;

use crate::engine::EngineError;
use crate::engine::region::{CELL_SAMPLES, CELLS, Reduction, Region};
use crate::picture::{Border, Similarity};

/// The shader's workgroups are squares of this side.
const WORKGROUP: u32 = 8;

/// Regions side by side in a texture of their own.
const ACROSS: usize = 16;

/// Takes pictures and cuts regions out of them, on the device that burn uses.
#[derive(Debug)]
pub struct TextureSampler {
    device: wgpu::Device,
    queue: wgpu::Queue,
    burn: Device,
    to_values: wgpu::ComputePipeline,
    to_texture: wgpu::ComputePipeline,
    to_cells: wgpu::ComputePipeline,
    /// The last picture's, for the next one of its size.
    texture: RefCell<Option<Owned>>,
}

/// A picture in a texture.
#[derive(Debug)]
pub struct Texture {
    sampler: Rc<TextureSampler>,
    texels: wgpu::TextureView,
    size: [usize; 2],
    /// None where it is the sampler's.
    _owned: Option<Owned>,
}

/// Is destroyed when it is dropped.
#[derive(Debug)]
struct Owned(wgpu::Texture);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.destroy();
    }
}

/// Left, top, width and height of a part of a texture.
type TexturePart = [usize; 4];

impl TextureSampler {
    /// For the device that `burn` is, by the handles of its setup.
    pub fn new(burn: &Device, setup: WgpuSetup) -> Self {
        let device = setup.device;
        let source = format!(
            "const CELLS = {CELLS}u;\nconst READ = {CELL_SAMPLES}u;\n\n{}",
            include_str!("sample.wgsl")
        );
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

    /// Takes a picture of the browser's, which stays the caller's. The texture serves until the next picture
    /// is taken.
    ///
    /// `None` where the browser refuses to copy it, or it is too large for a texture: it has to go through
    /// main memory then.
    #[cfg(target_arch = "wasm32")]
    pub fn upload(self: &Rc<Self>, image: &wgpu::ExternalImageSource) -> Option<Texture> {
        let [width, height] = [image.width(), image.height()].map(|side| side as usize);
        let longest = self.device.limits().max_texture_dimension_2d as usize;
        if !(1..=longest).contains(&width) || !(1..=longest).contains(&height) {
            return None;
        }
        let same = |texture: &Owned| {
            [texture.0.width(), texture.0.height()] == [width, height].map(|side| side as u32)
        };
        let kept = self.texture.take().filter(same);
        let texture = kept.unwrap_or_else(|| self.owned([width, height]));
        super::browser::copy(&self.queue, image, &texture.0)?;
        let picture = self.texture(&texture.0, [width, height], None);
        self.texture.replace(Some(texture));
        Some(picture)
    }

    fn owned(&self, size: [usize; 2]) -> Owned {
        let [width, height] = size.map(|side| side as u32);
        Owned(self.device.create_texture(&wgpu::TextureDescriptor {
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
        }))
    }

    fn texture(self: &Rc<Self>, texture: &wgpu::Texture, size: [usize; 2], owned: Option<Owned>) -> Texture {
        let texels = texture.create_view(&wgpu::TextureViewDescriptor::default());
        Texture { sampler: self.clone(), texels, size, _owned: owned }
    }

    /// Squares of one texture as a network's input, `[N, side, side, 3]` from -1 to 1.
    fn values(&self, from: &Texture, words: &[f32], side: usize) -> Result<Tensor<4>, EngineError> {
        let squares = words.len() / WORDS;
        let groups = (side as u32).div_ceil(WORKGROUP);
        self.fill([squares, side, side, 3], &self.to_values, from, words, [groups, groups, squares as u32])
    }

    /// A tensor that the shader fills.
    fn fill<const D: usize>(
        &self,
        shape: [usize; D],
        pipeline: &wgpu::ComputePipeline,
        from: &Texture,
        words: &[f32],
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
        self.run(pipeline, from, words, to, groups);
        Ok(tensor)
    }

    fn run(
        &self,
        pipeline: &wgpu::ComputePipeline,
        from: &Texture,
        words: &[f32],
        to: wgpu::BindGroupEntry<'_>,
        [x, y, z]: [u32; 3],
    ) {
        let words = self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: None,
            contents: bytemuck::cast_slice(words),
            usage: wgpu::BufferUsages::STORAGE,
        });
        let group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry {
                    binding: 0,
                    resource: wgpu::BindingResource::TextureView(&from.texels),
                },
                wgpu::BindGroupEntry { binding: 1, resource: words.as_entire_binding() },
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
        words.destroy();
    }

    /// A new texture with squares of another in it, each cut to its part of it.
    fn draw(self: &Rc<Self>, size: [usize; 2], from: &Texture, squares: &[(Region, TexturePart)]) -> Texture {
        let owned = self.owned(size);
        let view = owned.0.create_view(&wgpu::TextureViewDescriptor::default());
        let to = wgpu::BindGroupEntry { binding: 3, resource: wgpu::BindingResource::TextureView(&view) };
        let words: Vec<f32> =
            squares.iter().flat_map(|(region, to)| words(region, from.whole(), *to)).collect();
        let [_, _, width, height] = squares[0].1;
        let groups = [width, height].map(|side| (side as u32).div_ceil(WORKGROUP));
        self.run(&self.to_texture, from, &words, to, [groups[0], groups[1], squares.len() as u32]);
        let texture = owned.0.clone();
        self.texture(&texture, size, Some(owned))
    }
}

/// Numbers of a square for the shader.
const WORDS: usize = 14;

/// A square as the shader reads it: a region of that part of a texture, cut to another part.
fn words(region: &Region, from: TexturePart, to: TexturePart) -> [f32; WORDS] {
    let Similarity { a, b, tx, ty } = region.transform;
    let [left, top, width, height] = from.map(|n| n as f32);
    let black = f32::from(u8::from(region.border == Border::Black));
    let [to_left, to_top, to_width, to_height] = to.map(|n| n as f32);
    let mirrored = f32::from(u8::from(region.mirrored));
    [a, b, tx, ty, left, top, width, height, black, to_left, to_top, to_width, to_height, mirrored]
}

impl Texture {
    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    fn whole(&self) -> TexturePart {
        [0, 0, self.size[0], self.size[1]]
    }

    /// The mean brightness of each of [`CELLS`] x [`CELLS`] cells, row by row.
    pub(super) fn brightness(&self) -> Result<Tensor<1>, EngineError> {
        let identity = Similarity::new(1.0, 0.0, 0.0, 0.0);
        let region = Region { transform: identity, side: CELLS, border: Border::Replicate, mirrored: false };
        let words = words(&region, self.whole(), [0, 0, CELLS, CELLS]);
        let side = CELLS as u32 / WORKGROUP;
        let sampler = &self.sampler;
        sampler.fill([CELLS * CELLS], &sampler.to_cells, self, &words, [side, side, 1])
    }

    /// Regions of one side as a network's input, `[N, side, side, 3]` from -1 to 1.
    pub(super) fn squares(&self, regions: &[Region]) -> Result<Tensor<4>, EngineError> {
        let side = regions[0].side;
        let words: Vec<f32> =
            regions.iter().flat_map(|region| words(region, self.whole(), [0, 0, side, side])).collect();
        self.sampler.values(self, &words, side)
    }

    /// Of each of the regions, which are of one side, several crops of `side` x `side` pixels,
    /// `[N * crops, side, side, 3]`: as in memory, they are cut out of the region's pixels, not out of the
    /// picture. `transforms` lead from a crop's pixels to those.
    pub(super) fn crops(
        &self,
        regions: &[Region],
        transforms: &[Similarity],
        side: usize,
    ) -> Result<Tensor<4>, EngineError> {
        let length = regions[0].side;
        let part = |i: usize| [i % ACROSS * length, i / ACROSS * length, length, length];
        let parts: Vec<_> = regions.iter().enumerate().map(|(i, region)| (*region, part(i))).collect();
        let size = [regions.len().min(ACROSS), regions.len().div_ceil(ACROSS)].map(|n| n * length);
        let drawn = self.sampler.draw(size, self, &parts);
        let crop = |transform: &Similarity| Region {
            transform: *transform,
            side,
            border: Border::Replicate,
            mirrored: false,
        };
        let words: Vec<f32> = parts
            .iter()
            .flat_map(|(_, part)| transforms.iter().map(|transform| (crop(transform), *part)))
            .flat_map(|(region, part)| words(&region, part, [0, 0, side, side]))
            .collect();
        self.sampler.values(&drawn, &words, side)
    }

    /// A smaller copy.
    pub(super) fn reduced(&self, reduction: &Reduction) -> Texture {
        let [width, height] = reduction.size;
        let whole = Region {
            transform: reduction.transform(),
            side: width,
            border: Border::Replicate,
            mirrored: false,
        };
        self.sampler.draw(reduction.size, self, &[(whole, [0, 0, width, height])])
    }
}
