//! A network is data: a table of operations, written once.
//!
//! [`base`], [`d_cnn`], [`m_cnn`], [`lite`] and [`blaze_face`] have a table each, and a network's layers
//! stand nowhere else. What trains it (`module`), what folds its normalisation away ([`fold`]), and the
//! engines that run it read the table. A new network is a new table and a weight file.
//!
//! A map is square, `side` x `side` pixels of so many channels; a vector is a map of one pixel.

pub mod base;
pub mod blaze_face;
pub mod d_cnn;
pub mod fold;
#[cfg(feature = "train")]
pub mod fused;
pub mod heads;
pub mod lite;
pub mod m_cnn;
#[cfg(feature = "train")]
pub mod module;

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::picture::Similarity;
use crate::weights::{Weights, WeightsError};
pub use heads::{AGES, LOGITS, RawEstimate};
#[cfg(feature = "train")]
pub use module::{HeadOutputs, NetworkModule};

/// Added to the variance by every normalisation: Keras' default, and EfficientNet-Lite's.
pub const NORM_EPSILON: f32 = 1e-3;

/// Channels of a picture.
pub const RGB: usize = 3;

/// A network: what it is shown, and what it does with that.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The name in weight files, options and the page.
    pub name: &'static str,
    /// The name in tables.
    pub title: &'static str,
    /// What it is shown.
    pub input: Input,
    /// In the order that they run. Tensors are named after them.
    pub ops: Vec<Op>,
}

/// Squares of RGB pixels, whose bytes become numbers from -1 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Pixels of a side of each square. A network of convolutions and [anchors](Op::Anchors) alone takes
    /// others, too.
    pub side: usize,
    /// The side of each crop in pixels of the aligned crop. One for all but [`m_cnn`].
    pub extents: &'static [f32],
    /// The centre of all crops in pixels of the aligned crop: x, y.
    pub centre: [f32; 2],
}

/// An operation. A name is the place of its tensors in a weight file.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Convolution with a square kernel.
    Convolution(Convolution),
    /// Batch normalisation of each channel.
    Norm(String),
    /// `max(0, x)`.
    Relu,
    /// `min(max(0, x), 6)`.
    Relu6,
    /// `x` where that is positive, elsewhere a trained factor times `x`, one a channel.
    PRelu(String),
    /// The mean of each 2x2 pixels. What is left over at the end of a row or column is dropped.
    AveragePool,
    /// The largest of each 2x2 pixels, likewise.
    MaxPool,
    /// The mean of all pixels.
    GlobalAveragePool,
    /// What the operations make of the input, and the input added: its 2x2 maximum where they halve the
    /// (even) side, with channels of zeros at the end where they have more.
    Residual(Vec<Op>),
    /// A vector of all numbers by row, column, channel.
    Flatten,
    /// A dense layer of so many outputs, on a vector.
    Dense(String, usize),
    /// In training zeroes each number with this probability, and scales the others up.
    Dropout(f64),
    /// The same operations on each crop, and the vectors of all numbers side by side. Only at the beginning.
    EachCrop(Vec<Op>),
    /// Reads faces from the map and passes it on: regressed values and a logit for each anchor of each cell,
    /// by 1x1 convolutions `regressor_{cell}` and `classifier_{cell}`.
    Anchors(blaze_face::FeatureMap),
    /// Age and gender from a vector: see [`heads`]. At the end.
    Heads,
}

/// See [`Op::Convolution`].
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Place of its kernel and bias.
    pub name: String,
    /// Which channels see which.
    pub groups: Groups,
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// Pixels of the input from one output pixel to the next, 1 or 2.
    pub stride: usize,
    /// Zeros around the input.
    pub padding: Padding,
    /// Whether a bias is added.
    pub bias: bool,
}

/// Which channels see which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Groups {
    /// Each output sees all inputs.
    One {
        /// Channels of the output.
        out: usize,
    },
    /// Each channel sees itself.
    Depthwise,
}

/// Zeros around the input of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// None.
    Valid,
    /// TensorFlow's: the output's side is the input's over the stride, and what padding that takes is split
    /// in halves, the odd pixel going to the bottom and the right. A 3x3 kernel pads (1, 1) at stride 1 but
    /// (0, 1) at stride 2.
    Same,
    /// PyTorch's usual: half the kernel at both ends.
    Centred,
}

/// Extents of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows, and pixels in a row.
    pub side: usize,
    /// Numbers of a pixel.
    pub channels: usize,
}

impl Input {
    /// The aligned crop as it is, or scaled to another side.
    pub const fn whole(side: usize) -> Self {
        Self { side, extents: &[160.0], centre: [80.0, 80.0] }
    }

    /// Whether it is all of an aligned crop of `side`, pixel by pixel.
    pub fn is_whole(&self, side: usize) -> bool {
        *self == Self::whole(side) && self.extents == [side as f32]
    }

    /// How many squares.
    pub fn crops(&self) -> usize {
        self.extents.len()
    }

    /// The transform of each square: from its pixels to those of the aligned crop.
    pub fn transforms(&self) -> impl Iterator<Item = Similarity> {
        self.extents.iter().map(|extent| {
            let [left, top] = self.centre.map(|centre| centre - extent / 2.0);
            Similarity::new(extent / self.side as f32, 0.0, left, top)
        })
    }

    /// Numbers of all squares.
    pub fn values(&self) -> usize {
        self.crops() * self.side * self.side * RGB
    }
}

impl Padding {
    /// Pixels of zeros before and after a row or column of `side`.
    pub fn ends(self, kernel: usize, stride: usize, side: usize) -> [usize; 2] {
        match self {
            Self::Valid => [0, 0],
            Self::Same => {
                let covered = (side.div_ceil(stride) - 1) * stride + kernel;
                let both = covered.saturating_sub(side);
                [both / 2, both - both / 2]
            }
            Self::Centred => [kernel / 2; 2],
        }
    }

    /// The output's side.
    pub fn out_side(self, kernel: usize, stride: usize, side: usize) -> usize {
        let [before, after] = self.ends(kernel, stride, side);
        (before + side + after - kernel) / stride + 1
    }
}

impl Shape {
    /// Numbers in it.
    pub fn values(self) -> usize {
        self.side * self.side * self.channels
    }

    /// As a vector.
    pub fn flat(self) -> Self {
        Self { side: 1, channels: self.values() }
    }
}

/// A convolution of `kernel` x `kernel` to `out` channels, at stride 1, without padding, with a bias.
pub fn conv(name: impl Into<String>, out: usize, kernel: usize) -> Convolution {
    let groups = Groups::One { out };
    Convolution { name: name.into(), groups, kernel, stride: 1, padding: Padding::Valid, bias: true }
}

/// The same of each channel by itself.
pub fn depthwise(name: impl Into<String>, kernel: usize) -> Convolution {
    Convolution { groups: Groups::Depthwise, ..conv(name, 0, kernel) }
}

impl Convolution {
    /// With another stride.
    pub fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// With padding.
    pub fn padding(self, padding: Padding) -> Self {
        Self { padding, ..self }
    }

    /// Without a bias.
    pub fn no_bias(self) -> Self {
        Self { bias: false, ..self }
    }

    /// As an operation.
    pub fn op(self) -> Op {
        Op::Convolution(self)
    }

    /// The kernel's shape on so many channels: outputs, inputs of each, height, width.
    pub fn shape(&self, channels: usize) -> [usize; 4] {
        match self.groups {
            Groups::One { out } => [out, channels, self.kernel, self.kernel],
            Groups::Depthwise => [channels, 1, self.kernel, self.kernel],
        }
    }
}

/// Batch normalisation.
pub fn norm(name: impl Into<String>) -> Op {
    Op::Norm(name.into())
}

/// A dense layer.
pub fn dense(name: impl Into<String>, out: usize) -> Op {
    Op::Dense(name.into(), out)
}

impl Op {
    /// What it makes of a map of that shape; `crops` as the network's input has.
    pub fn output(&self, shape: Shape, crops: usize) -> Shape {
        let Shape { side, channels } = shape;
        match self {
            Self::Convolution(it) => Shape {
                side: it.padding.out_side(it.kernel, it.stride, side),
                channels: it.shape(channels)[0],
            },
            Self::Norm(_)
            | Self::Relu
            | Self::Relu6
            | Self::PRelu(_)
            | Self::Dropout(_)
            | Self::Anchors(_) => shape,
            Self::AveragePool | Self::MaxPool => Shape { side: side / 2, channels },
            Self::GlobalAveragePool => Shape { side: 1, channels },
            Self::Residual(body) => output(body, shape, crops),
            Self::EachCrop(body) => {
                let each = output(body, shape, crops).flat();
                Shape { side: 1, channels: crops * each.channels }
            }
            Self::Flatten => shape.flat(),
            Self::Dense(_, out) => Shape { side: 1, channels: *out },
            Self::Heads => Shape { side: 1, channels: LOGITS },
        }
    }

    /// Name and shape of each tensor, in a map of that shape.
    pub fn tensors(&self, shape: Shape) -> Vec<(String, Vec<usize>)> {
        let channels = shape.channels;
        let convolution = |it: &Convolution| {
            let shape = it.shape(channels);
            let bias = it.bias.then(|| (format!("{}.bias", it.name), vec![shape[0]]));
            std::iter::once((format!("{}.weight", it.name), shape.to_vec())).chain(bias).collect::<Vec<_>>()
        };
        let dense = |name: &str, inputs: usize, out: usize| {
            [(format!("{name}.weight"), vec![inputs, out]), (format!("{name}.bias"), vec![out])]
        };
        match self {
            Self::Convolution(it) => convolution(it),
            Self::Norm(name) => ["gamma", "beta", "running_mean", "running_var"]
                .map(|field| (format!("{name}.{field}"), vec![channels]))
                .into(),
            Self::PRelu(name) => vec![(format!("{name}.alpha"), vec![channels])],
            Self::Dense(name, out) => dense(name, channels, *out).into(),
            Self::Anchors(map) => map.convolutions().iter().flat_map(convolution).collect(),
            Self::Heads => {
                heads::layers(channels).iter().flat_map(|(name, [i, o])| dense(name, *i, *o)).collect()
            }
            _ => vec![],
        }
    }
}

/// What operations one after the other make of a map of that shape.
pub fn output(ops: &[Op], shape: Shape, crops: usize) -> Shape {
    ops.iter().fold(shape, |shape, op| op.output(shape, crops))
}

impl Network {
    /// One square of the input as a map.
    pub fn square(&self) -> Shape {
        Shape { side: self.input.side, channels: RGB }
    }

    /// Calls `each` for every operation, those within others in their place, with the shape of the map that
    /// it gets.
    pub fn visit<'a>(&'a self, each: &mut impl FnMut(&'a Op, Shape)) {
        fn walk<'a>(ops: &'a [Op], mut shape: Shape, crops: usize, each: &mut impl FnMut(&'a Op, Shape)) {
            for op in ops {
                each(op, shape);
                if let Op::Residual(body) | Op::EachCrop(body) = op {
                    walk(body, shape, crops, each);
                }
                shape = op.output(shape, crops);
            }
        }
        walk(&self.ops, self.square(), self.input.crops(), each);
    }

    /// Name and shape of all tensors.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let mut tensors = Vec::new();
        self.visit(&mut |op, shape| tensors.extend(op.tensors(shape)));
        tensors
    }

    /// Numbers in all tensors: the parameters as Keras counts them, running statistics too.
    pub fn parameters(&self) -> usize {
        self.tensors().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

static NETWORKS: LazyLock<[Network; 5]> =
    LazyLock::new(|| [base::table(), d_cnn::table(), m_cnn::table(), lite::table(), blaze_face::table()]);

/// The network of that name.
pub fn by_name(name: &str) -> Option<&'static Network> {
    NETWORKS.iter().find(|network| network.name == name)
}

/// One of the networks that estimate age and gender.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// One convolution and one dense layer: the baseline.
    Base,
    /// The deep network: five convolutions and two dense layers.
    DCnn,
    /// The multi-scale network: three small crops through shared convolutions.
    MCnn,
    /// EfficientNet-Lite0's first ten blocks: what is used unless told.
    #[default]
    Lite,
}

impl NetworkKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Base, Self::DCnn, Self::MCnn, Self::Lite];

    /// Those of the study.
    pub const STUDY: [Self; 3] = [Self::Base, Self::DCnn, Self::MCnn];

    /// Its table.
    pub fn network(self) -> &'static Network {
        &NETWORKS[self as usize]
    }

    /// The name in files, options and the page.
    pub fn name(self) -> &'static str {
        self.network().name
    }

    /// The network with this [`NetworkKind::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The network that the file is for.
    ///
    /// # Errors
    /// [`WeightsError::Network`] if it is none of them.
    pub fn of(weights: &Weights) -> Result<Self, WeightsError> {
        Self::from_name(&weights.network).ok_or_else(|| WeightsError::Network {
            expected: Self::ALL.map(Self::name).join(", "),
            found: weights.network.clone(),
        })
    }

    /// Crops of one face that the network is shown.
    pub fn crops(self) -> usize {
        self.network().input.crops()
    }

    /// Side of each crop in pixels.
    pub fn side(self) -> usize {
        self.network().input.side
    }

    /// Floats that one face takes as input: crops x side x side x 3.
    pub fn input_len(self) -> usize {
        self.network().input.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameter_counts_are_the_studys() {
        assert_eq!(base::table().parameters(), 1_999_377);
        assert_eq!(d_cnn::table().parameters(), 632_299);
        assert_eq!(m_cnn::table().parameters(), 40_299);
        assert_eq!(blaze_face::table().parameters(), 101_390);
    }

    #[test]
    fn kinds_and_tables_have_the_same_names() {
        for kind in NetworkKind::ALL {
            assert_eq!(NetworkKind::from_name(kind.name()), Some(kind));
            assert_eq!(by_name(kind.name()), Some(kind.network()));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("{:?}", kind.name()));
        }
        assert!(by_name("x").is_none());
    }

    /// Every file that lies beside the sources has exactly the tensors of its network.
    #[test]
    fn weight_files_are_the_tables() {
        for file in ["base/base", "d-cnn/d-cnn", "m-cnn/m-cnn", "lite/lite", "blazeface/blazeface-short"] {
            let path = format!("{}/model-weights/{file}.safetensors", env!("CARGO_MANIFEST_DIR"));
            let weights = Weights::from_bytes(&std::fs::read(path).unwrap()).unwrap();
            let mut tensors = by_name(&weights.network).unwrap().tensors();
            tensors.sort();
            let found = weights.tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone()));
            assert_eq!(found.collect::<Vec<_>>(), tensors, "{file}");
        }
    }

    #[test]
    fn padding_is_tensorflows() {
        assert_eq!(Padding::Same.ends(5, 2, 128), [1, 2]);
        assert_eq!(Padding::Same.ends(3, 1, 64), [1, 1]);
        assert_eq!(Padding::Same.ends(3, 2, 64), [0, 1]);
        assert_eq!(Padding::Same.ends(1, 2, 5), [0, 0]);
        assert_eq!([Padding::Same.out_side(3, 2, 9), Padding::Centred.out_side(3, 2, 9)], [5, 5]);
    }
}
