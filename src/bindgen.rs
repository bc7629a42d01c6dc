//! For build.sh: makes of a compiled module what a browser takes, a script and the module that it starts.
//!
//! wasm-bindgen's own program does the same with this same library, and takes far longer to compile, since it
//! is also a test runner.

use anyhow::bail;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [module, folder, name] = &arguments[..] else {
        bail!("usage: bindgen MODULE FOLDER NAME, for FOLDER/NAME.js and FOLDER/NAME_bg.wasm");
    };
    Bindgen::new()
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .omit_default_module_path(false)
        .input_path(module)
        .out_name(name)
        .generate(folder)
}
