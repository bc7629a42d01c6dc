//! WebGPU's results are those of before, too: of the pictures of `tests/golden`.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{ImageFormat, RgbaImage};

use crate::pictures::pictures;
use crate::record::{Face, GPU, Photos, differences, kept};
use crate::support::chromium::Options;
use crate::support::page::Page;
use crate::visit;

#[test]
fn photos_on_webgpu() {
    visit(Options { webgpu: true, ..Options::default() }, |site, page| {
        page.open(&site.page("?engine=webgpu&model=d-cnn"));
        page.takes_its_time();
        let photos: Photos =
            pictures().into_iter().map(|(name, it)| (name.into(), photo(page, name, &it))).collect();
        assert_eq!(differences(&photos, &kept::<Photos>("d-cnn.cpu"), GPU), [""; 0]);
    });
}

/// The faces of a photo, by the page's engine.
fn photo(page: &Page, name: &str, picture: &RgbaImage) -> Vec<Face> {
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).unwrap();
    let faces = page.evaluate(&format!(
        "(async () => {{
            const bytes = Uint8Array.from(atob('{}'), (it) => it.charCodeAt(0));
            const {{ faces, engine }} = await mienApp.mien.estimate(new Blob([bytes], {{ type: 'image/png' }}));
            if (engine !== 'webgpu') throw new Error(`{name}: ${{engine}}`);
            return faces.map(({{ ageRange, ...face }}) => ({{ ...face, age_range: ageRange }}));
        }})()",
        STANDARD.encode(png.get_ref())
    ));
    serde_json::from_value(faces).unwrap()
}
