//! D-CNN and BlazeFace as ONNX files, from Mien's own weight files: for ONNX Runtime, layer by layer as they were trained, at batch 1.
//!
//! The messages are the part of ONNX's `onnx.proto` that these two networks need.

use mien::face::architecture::{BLOCKS, FeatureMap, MAPS, STEM, Step, VALUES, anchors};
use mien::model::{AGES, NetworkKind};
use mien::vision::INPUT_SIDE;
use mien::weights::{Weights, WeightsError};
use prost::Message;

/// D-CNN: `input` `[1, 3, 160, 160]` to `distribution` `[1, 100]`, `age` `[1, 1]` and `gender` `[1, 2]` (male, female).
///
/// # Errors
/// [`WeightsError`] if the weights are another network's or lack a tensor.
pub fn dcnn(weights: &Weights) -> Result<Vec<u8>, WeightsError> {
    weights.expect_network(NetworkKind::DCnn.name())?;
    let mut graph = Graph::new(weights);
    let mut x = INPUT.to_owned();
    for i in 1..=4 {
        let block = format!("convolutions.block{i}");
        x = graph.conv(&x, &format!("{block}.conv"), vec![])?;
        x = graph.norm(&x, &format!("{block}.norm"))?;
        x = graph.node("Relu", &[&x], vec![]);
        x = graph.node("AveragePool", &[&x], window(2));
    }
    x = graph.conv(&x, "convolutions.point", vec![])?;
    x = graph.norm(&x, "convolutions.point_norm")?;
    x = graph.node("Relu", &[&x], vec![]);
    x = graph.node("MaxPool", &[&x], window(2));
    // The features' order is row, column, channel.
    x = graph.node("Transpose", &[&x], vec![ints("perm", &[0, 2, 3, 1])]);
    x = graph.node("Flatten", &[&x], vec![]);
    for dense in ["dense1", "dense2"] {
        x = graph.linear(&x, dense)?;
        x = graph.node("Relu", &[&x], vec![]);
        x = graph.norm(&x, &format!("{dense}_norm"))?;
    }
    let age_logits = graph.linear(&x, "heads.age_class")?;
    let distribution = graph.node("Softmax", &[&age_logits], vec![]);
    let age = graph.linear(&distribution, "heads.age_regression")?;
    let gender_logits = graph.linear(&x, "heads.gender")?;
    let gender = graph.node("Softmax", &[&gender_logits], vec![]);
    let side = NetworkKind::DCnn.side();
    Ok(graph.finish(
        [1, 3, side, side],
        &[("distribution", &distribution, &[1, AGES]), ("age", &age, &[1, 1]), ("gender", &gender, &[1, 2])],
    ))
}

/// BlazeFace: `input` `[1, 3, 128, 128]` to `regressors` `[1, 896, 16]` and `logits` `[1, 896, 1]`.
///
/// # Errors
/// [`WeightsError`] if the weights lack a tensor.
pub fn blazeface(weights: &Weights) -> Result<Vec<u8>, WeightsError> {
    let mut graph = Graph::new(weights);
    let x = graph.conv(INPUT, "stem", same(&STEM))?;
    let mut x = graph.node("Relu", &[&x], vec![]);
    let (mut regressors, mut logits) = (Vec::new(), Vec::new());
    for (i, step) in BLOCKS.iter().enumerate() {
        let name = match i.checked_sub(MAPS[0].blocks) {
            None => format!("backbone1.{i}"),
            Some(i) => format!("backbone2.{i}"),
        };
        x = graph.blaze_block(&x, &name, step)?;
        for map in MAPS.iter().filter(|map| map.blocks == i + 1) {
            regressors.push(graph.per_anchor(&x, &format!("regressor_{}", map.stride), map, VALUES)?);
            logits.push(graph.per_anchor(&x, &format!("classifier_{}", map.stride), map, 1)?);
        }
    }
    let mut all = |parts: [String; 2]| {
        graph.node("Concat", &parts.each_ref().map(String::as_str), vec![int("axis", 1)])
    };
    let [regressors, logits] = [regressors, logits].map(|parts| all(parts.try_into().expect("two maps")));
    let count = anchors(INPUT_SIDE);
    Ok(graph.finish(
        [1, STEM.input, INPUT_SIDE, INPUT_SIDE],
        &[("regressors", &regressors, &[1, count, VALUES]), ("logits", &logits, &[1, count, 1])],
    ))
}

const INPUT: &str = "input";

/// A graph being built. Nodes are named after their one output.
struct Graph<'a> {
    weights: &'a Weights,
    proto: GraphProto,
}

impl<'a> Graph<'a> {
    fn new(weights: &'a Weights) -> Self {
        let name = weights.network.clone();
        Self { weights, proto: GraphProto { name, ..GraphProto::default() } }
    }

    /// Adds a node; returns the name of its output.
    fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let output = format!("{op}_{}", self.proto.nodes.len());
        self.proto.nodes.push(NodeProto {
            inputs: inputs.iter().map(|input| (*input).into()).collect(),
            outputs: vec![output.clone()],
            op_type: op.into(),
            attributes,
        });
        output
    }

    /// A tensor of the weight file, as an input for nodes.
    fn weight(&mut self, name: &str) -> Result<String, WeightsError> {
        let tensor = self.weights.tensors.get(name).ok_or_else(|| WeightsError::Missing(name.into()))?;
        self.proto.initializers.push(TensorProto {
            dims: tensor.shape.iter().map(|side| *side as i64).collect(),
            data_type: FLOAT,
            name: name.into(),
            raw_data: tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        });
        Ok(name.into())
    }

    fn integers(&mut self, values: &[i64]) -> String {
        let name = format!("integers_{}", self.proto.initializers.len());
        self.proto.initializers.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: INT64,
            name: name.clone(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        });
        name
    }

    fn conv(&mut self, x: &str, name: &str, attributes: Vec<AttributeProto>) -> Result<String, WeightsError> {
        let mut inputs = vec![x.to_owned(), self.weight(&format!("{name}.weight"))?];
        let bias = format!("{name}.bias");
        if self.weights.tensors.contains_key(&bias) {
            inputs.push(self.weight(&bias)?);
        }
        let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
        Ok(self.node("Conv", &inputs, attributes))
    }

    fn linear(&mut self, x: &str, name: &str) -> Result<String, WeightsError> {
        let [weight, bias] = [self.weight(&format!("{name}.weight"))?, self.weight(&format!("{name}.bias"))?];
        Ok(self.node("Gemm", &[x, &weight, &bias], vec![]))
    }

    fn norm(&mut self, x: &str, name: &str) -> Result<String, WeightsError> {
        /// Keras' default, which the networks were trained with.
        const EPSILON: f32 = 1e-3;
        let mut inputs = vec![x.to_owned()];
        for field in ["gamma", "beta", "running_mean", "running_var"] {
            inputs.push(self.weight(&format!("{name}.{field}"))?);
        }
        let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
        Ok(self.node("BatchNormalization", &inputs, vec![float("epsilon", EPSILON)]))
    }

    /// `relu(pointwise(depthwise(x)) + shortcut(x))`: see [`mien::face::network`].
    fn blaze_block(&mut self, x: &str, name: &str, step: &Step) -> Result<String, WeightsError> {
        let mut depthwise = same(step);
        depthwise.push(int("group", step.input as i64));
        let y = self.conv(x, &format!("{name}.depthwise"), depthwise)?;
        let y = self.conv(&y, &format!("{name}.pointwise"), vec![])?;
        let mut shortcut = x.to_owned();
        if step.stride > 1 {
            shortcut = self.node("MaxPool", &[&shortcut], window(step.stride as i64));
        }
        if step.output > step.input {
            let pads = self.integers(&[0, 0, 0, 0, 0, (step.output - step.input) as i64, 0, 0]);
            shortcut = self.node("Pad", &[&shortcut, &pads], vec![]);
        }
        let sum = self.node("Add", &[&y, &shortcut], vec![]);
        Ok(self.node("Relu", &[&sum], vec![]))
    }

    /// A head on a map: `[1, cells * anchors, values]`.
    fn per_anchor(
        &mut self,
        x: &str,
        name: &str,
        map: &FeatureMap,
        values: usize,
    ) -> Result<String, WeightsError> {
        let y = self.conv(x, name, vec![])?;
        let y = self.node("Transpose", &[&y], vec![ints("perm", &[0, 2, 3, 1])]);
        let anchors = map.anchors(INPUT_SIDE);
        let shape = self.integers(&[1, anchors as i64, values as i64]);
        Ok(self.node("Reshape", &[&y, &shape], vec![]))
    }

    /// The file. `outputs` are a name for each, the node's output that it is, and its shape.
    fn finish(mut self, input: [usize; 4], outputs: &[(&str, &str, &[usize])]) -> Vec<u8> {
        self.proto.inputs = vec![value(INPUT, &input)];
        for (name, from, shape) in outputs {
            let output = self.node("Identity", &[from], vec![]);
            let node = self.proto.nodes.last_mut().expect("just added");
            debug_assert_eq!(node.outputs, [output]);
            node.outputs = vec![(*name).into()];
            self.proto.outputs.push(value(name, shape));
        }
        let model = ModelProto {
            ir_version: 8,
            graph: Some(self.proto),
            opset_imports: vec![OperatorSetIdProto { version: 17 }],
        };
        model.encode_to_vec()
    }
}

/// Stride and padding of a convolution, padded as TensorFlow's `SAME`: see [`Step`].
fn same(step: &Step) -> Vec<AttributeProto> {
    let total = step.kernel - step.stride;
    let (before, after) = ((total / 2) as i64, (total - total / 2) as i64);
    vec![ints("strides", &[step.stride as i64; 2]), ints("pads", &[before, before, after, after])]
}

/// Pooling without overlap.
fn window(side: i64) -> Vec<AttributeProto> {
    vec![ints("kernel_shape", &[side; 2]), ints("strides", &[side; 2])]
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), f: Some(f), r#type: 1, ..AttributeProto::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), i: Some(i), r#type: 2, ..AttributeProto::default() }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), ints: ints.to_vec(), r#type: 7, ..AttributeProto::default() }
}

fn value(name: &str, shape: &[usize]) -> ValueInfoProto {
    let dims = shape.iter().map(|side| Dimension { dim_value: Some(*side as i64) }).collect();
    let tensor = TensorType { elem_type: FLOAT, shape: Some(TensorShapeProto { dims }) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

// ---- onnx.proto ----

const FLOAT: i32 = 1;
const INT64: i32 = 7;

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<GraphProto>,
    #[prost(message, repeated, tag = "8")]
    opset_imports: Vec<OperatorSetIdProto>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorSetIdProto {
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
struct GraphProto {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<NodeProto>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, repeated, tag = "5")]
    initializers: Vec<TensorProto>,
    #[prost(message, repeated, tag = "11")]
    inputs: Vec<ValueInfoProto>,
    #[prost(message, repeated, tag = "12")]
    outputs: Vec<ValueInfoProto>,
}

#[derive(Clone, PartialEq, Message)]
struct NodeProto {
    #[prost(string, repeated, tag = "1")]
    inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    outputs: Vec<String>,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attributes: Vec<AttributeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct AttributeProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(float, optional, tag = "2")]
    f: Option<f32>,
    #[prost(int64, optional, tag = "3")]
    i: Option<i64>,
    #[prost(int64, repeated, tag = "8")]
    ints: Vec<i64>,
    /// 1: `f`, 2: `i`, 7: `ints`.
    #[prost(int32, tag = "20")]
    r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
struct TensorProto {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfoProto {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<TypeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TypeProto {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<TensorShapeProto>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorShapeProto {
    #[prost(message, repeated, tag = "1")]
    dims: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
}
