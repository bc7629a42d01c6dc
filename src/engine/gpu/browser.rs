//! The one call to the browser's WebGPU that is not made through wgpu.
//!
//! wgpu has it as well, and panics where the browser refuses. web-sys has its types only for those who set
//! `web_sys_unstable_apis` for everything they compile, and wgpu keeps its own to itself, so they are stated
//! here: as much of them as is used.

use js_sys::Object;
use wasm_bindgen::prelude::*;
use wgpu::webgpu::GpuTexture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = GPUQueue)]
    type Queue;

    #[wasm_bindgen(method, catch, js_class = GPUQueue, js_name = copyExternalImageToTexture)]
    fn copy_external_image_to_texture(
        this: &Queue,
        source: &SourceInfo,
        destination: &DestinationInfo,
        size: &[u32],
    ) -> Result<(), JsValue>;

    /// `GPUCopyExternalImageSourceInfo`.
    type SourceInfo;

    #[wasm_bindgen(method, setter)]
    fn set_source(this: &SourceInfo, source: &Object);

    /// `GPUCopyExternalImageDestInfo`.
    type DestinationInfo;

    #[wasm_bindgen(method, setter)]
    fn set_texture(this: &DestinationInfo, texture: &GpuTexture);
}

/// Copies a picture into a texture of its size, or not: `None`.
pub fn copy(queue: &wgpu::Queue, image: &wgpu::ExternalImageSource, texture: &wgpu::Texture) -> Option<()> {
    let source: SourceInfo = Object::new().unchecked_into();
    source.set_source(image);
    let destination: DestinationInfo = Object::new().unchecked_into();
    destination.set_texture(texture.as_webgpu()?);
    let queue: &Queue = queue.as_webgpu()?.unchecked_ref();
    let size = [texture.width(), texture.height()];
    queue.copy_external_image_to_texture(&source, &destination, &size).ok()
}
