//! The face detector as a network: its table of layers, and the module that defines it.

pub mod architecture;
#[cfg(feature = "burn")]
pub mod network;

#[cfg(feature = "burn")]
pub use network::BlazeFace;
