//! The shapes of BlazeFace, short range: the only place with them, read by whatever runs the network.

/// The name of this network in its weight file.
pub const NETWORK: &str = "blazeface-short";

/// Width and height in pixels of the input that it was trained on: a picture or a part of one.
pub const INPUT_SIDE: usize = 128;

/// Shape of one convolution step: channels in and out, side of the kernel, stride.
///
/// Padding is TensorFlow's `SAME`: the output side is the input side over the stride, and what padding that takes is
/// split in halves, the odd pixel going to the bottom and the right. So a 3x3 kernel pads (1, 1) at stride 1 but (0, 1) at
/// stride 2, and the stem's 5x5 at stride 2 pads (1, 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Channels of its input.
    pub input: usize,
    /// Channels of its output.
    pub output: usize,
    /// Side of its square kernel.
    pub kernel: usize,
    /// Pixels from one output to the next.
    pub stride: usize,
}

const fn block(input: usize, output: usize, stride: usize) -> Step {
    Step { input, output, kernel: 3, stride }
}

/// The first convolution.
pub const STEM: Step = Step { input: 3, output: 24, kernel: 5, stride: 2 };

/// The blaze blocks; the kernel and the stride are those of the depthwise convolution.
pub const BLOCKS: [Step; 16] = [
    block(24, 24, 1),
    block(24, 28, 1),
    block(28, 32, 2),
    block(32, 36, 1),
    block(36, 42, 1),
    block(42, 48, 2),
    block(48, 56, 1),
    block(56, 64, 1),
    block(64, 72, 1),
    block(72, 80, 1),
    block(80, 88, 1), // the first map
    block(88, 96, 2),
    block(96, 96, 1),
    block(96, 96, 1),
    block(96, 96, 1),
    block(96, 96, 1), // the second map
];

/// A feature map that faces are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureMap {
    /// How many of [`BLOCKS`] make it.
    pub blocks: usize,
    /// Pixels of the network's input from one cell to the next.
    pub stride: usize,
    /// Channels.
    pub channels: usize,
    /// Anchors in each cell.
    pub anchors: usize,
}

/// The two maps, in the order of the outputs.
pub const MAPS: [FeatureMap; 2] = [
    FeatureMap { blocks: 11, stride: 8, channels: 88, anchors: 2 },
    FeatureMap { blocks: 16, stride: 16, channels: 96, anchors: 6 },
];

impl FeatureMap {
    /// Anchors of the map that an input of `side` x `side` pixels makes.
    pub const fn anchors(&self, side: usize) -> usize {
        (side / self.stride).pow(2) * self.anchors
    }
}

/// Anchors of both maps, for an input of `side` x `side` pixels: 896 for 128, 224 for 64.
pub const fn anchors(side: usize) -> usize {
    MAPS[0].anchors(side) + MAPS[1].anchors(side)
}

/// Regressed values of one anchor: centre x, y, width and height of the box, and x, y of six landmarks.
pub const VALUES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        let (mut channels, mut side) = (STEM.output, INPUT_SIDE / STEM.stride);
        for (i, step) in BLOCKS.iter().enumerate() {
            assert_eq!(step.input, channels);
            (channels, side) = (step.output, side / step.stride);
            if let Some(map) = MAPS.iter().find(|map| map.blocks == i + 1) {
                assert_eq!((map.channels, map.stride), (channels, INPUT_SIDE / side));
            }
        }
        assert_eq!([INPUT_SIDE, INPUT_SIDE / 2].map(anchors), [896, 224]);
    }
}
