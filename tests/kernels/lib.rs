//! The kernels by themselves, with their tests: see `Cargo.toml`.

#![allow(rustdoc::broken_intra_doc_links)] // to rooms that are not here

#[path = "../../src/kernels/mod.rs"]
pub mod kernels;
