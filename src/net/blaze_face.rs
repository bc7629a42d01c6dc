//! BlazeFace, short range (Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on
//! Mobile GPUs"; this is the variant with single blaze blocks that MediaPipe ships).
//!
//! ```text
//! picture 128x128x3
//!   stem       Conv5x5 stride 2, 24, ReLU         64x64x24
//!   backbone1  11 blaze blocks                    16x16x88 -> 2 anchors a cell: 512
//!   backbone2   5 blaze blocks                     8x8x96  -> 6 anchors a cell: 384
//! ```
//!
//! A blaze block is `relu(pointwise(depthwise3x3(x)) + shortcut(x))`; where it has stride 2 the shortcut is a
//! 2x2 max pooling, and where it widens, the shortcut's new channels are zero. Each anchor gets 16 regressed
//! values and one logit from a 1x1 convolution on its map.

use super::{Convolution, Input, Network, Op, Padding, conv, depthwise};

/// Channels of each block's output, those with stride 2 marked.
const BACKBONES: [&[(usize, usize)]; 2] = [
    &[(24, 1), (28, 1), (32, 2), (36, 1), (42, 1), (48, 2), (56, 1), (64, 1), (72, 1), (80, 1), (88, 1)],
    &[(96, 2), (96, 1), (96, 1), (96, 1), (96, 1)],
];

/// Regressed values of one anchor: centre x, y, width and height of the box, and x, y of six landmarks.
pub const VALUES: usize = 16;

/// A feature map that faces are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeatureMap {
    /// Pixels of the network's input from one cell to the next.
    pub stride: usize,
    /// Anchors in each cell.
    pub anchors: usize,
}

/// The two maps, in the order of the outputs.
pub const MAPS: [FeatureMap; 2] =
    [FeatureMap { stride: 8, anchors: 2 }, FeatureMap { stride: 16, anchors: 6 }];

/// The name of this network.
pub const NAME: &str = "blazeface-short";

/// Width and height in pixels of the input that it was trained on: a picture or a part of one.
pub const INPUT_SIDE: usize = 128;

/// The network with its table.
pub fn network() -> &'static Network {
    super::by_name(NAME).expect("a network of ours")
}

/// See the [module](self).
pub fn table() -> Network {
    let mut ops = vec![conv("stem", 24, 5).stride(2).padding(Padding::Same).op(), Op::Relu];
    for ((backbone, blocks), map) in (1..).zip(BACKBONES).zip(MAPS) {
        for (block, (out, stride)) in blocks.iter().enumerate() {
            let name = format!("backbone{backbone}.{block}");
            ops.push(Op::Residual(vec![
                depthwise(format!("{name}.depthwise"), 3).stride(*stride).padding(Padding::Same).op(),
                conv(format!("{name}.pointwise"), *out, 1).op(),
            ]));
            ops.push(Op::Relu);
        }
        ops.push(Op::Anchors(map));
    }
    // Not of an aligned crop; any square of a picture.
    Network { name: NAME, title: "BlazeFace", input: Input::whole(INPUT_SIDE), ops }
}

impl FeatureMap {
    /// Anchors of the map that an input of `side` x `side` pixels makes.
    pub const fn anchors(&self, side: usize) -> usize {
        (side / self.stride).pow(2) * self.anchors
    }

    /// What reads the values, and what reads the logits.
    pub fn convolutions(&self) -> [Convolution; 2] {
        let Self { stride, anchors } = self;
        [
            conv(format!("regressor_{stride}"), anchors * VALUES, 1),
            conv(format!("classifier_{stride}"), *anchors, 1),
        ]
    }
}

/// Anchors of both maps, for an input of `side` x `side` pixels: 896 for 128, 224 for 64.
pub const fn anchors(side: usize) -> usize {
    MAPS[0].anchors(side) + MAPS[1].anchors(side)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_have_the_stated_cells() {
        let network = table();
        let mut sides = Vec::new();
        network.visit(&mut |op, shape| {
            if let Op::Anchors(map) = op {
                assert_eq!(shape.side * map.stride, network.input.side);
                sides.push((shape.side, shape.channels));
            }
        });
        assert_eq!(sides, [(16, 88), (8, 96)]);
        assert_eq!([128, 64].map(anchors), [896, 224]);
    }
}
