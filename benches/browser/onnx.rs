//! The networks as ONNX files, from their tables and Mien's own weight files: for ONNX Runtime, layer by
//! layer as they were trained, at batch 1.
//!
//! The messages are the part of ONNX's `onnx.proto` that they need.

use mien::net::blaze_face::VALUES;
use mien::net::{AGES, Convolution, Groups, NORM_EPSILON, Network, Op, Shape};
use mien::weights::{Weights, WeightsError};
use prost::Message;

/// A network: `input` `[crops, 3, side, side]` to `distribution` `[1, 100]`, `age` `[1, 1]` and `gender`
/// `[1, 2]` (male, female), or to `regressors` `[1, anchors, 16]` and `logits` `[1, anchors, 1]`.
///
/// # Errors
/// [`WeightsError`] if the weights are another network's or lack a tensor.
pub fn export(network: &Network, weights: &Weights) -> Result<Vec<u8>, WeightsError> {
    weights.expect_network(network.name)?;
    let mut graph = Graph { crops: network.input.crops(), side: network.input.side, ..Graph::new(weights) };
    graph.ops(&network.ops, INPUT.to_owned(), network.square())?;
    let Graph { values, logits, .. } = &mut graph;
    let anchors = [std::mem::take(values), std::mem::take(logits)];
    for ((name, values), parts) in [("regressors", VALUES), ("logits", 1)].into_iter().zip(anchors) {
        if let [(_, first), (_, second)] = parts.as_slice() {
            let count = first + second;
            let parts: Vec<_> = parts.iter().map(|(part, _)| part.as_str()).collect();
            let all = graph.node("Concat", &parts, vec![int("axis", 1)]);
            graph.outputs.push((name, all, vec![1, count, values]));
        }
    }
    Ok(graph.finish())
}

const INPUT: &str = "input";

/// A graph being built. Nodes are named after their one output.
struct Graph<'a> {
    weights: &'a Weights,
    proto: GraphProto,
    crops: usize,
    side: usize,
    /// Values and logits of each map's anchors, and how many anchors.
    values: Vec<(String, usize)>,
    logits: Vec<(String, usize)>,
    /// A name for each, the node's output that it is, and its shape.
    outputs: Vec<(&'static str, String, Vec<usize>)>,
}

impl<'a> Graph<'a> {
    fn new(weights: &'a Weights) -> Self {
        let name = weights.network.clone();
        let proto = GraphProto { name, ..GraphProto::default() };
        let (values, logits, outputs) = (Vec::new(), Vec::new(), Vec::new());
        Self { weights, proto, crops: 1, side: 0, values, logits, outputs }
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

    /// A constant tensor.
    fn constant(&mut self, dims: Vec<i64>, data_type: i32, raw_data: Vec<u8>) -> String {
        let name = format!("constant_{}", self.proto.initializers.len());
        self.proto.initializers.push(TensorProto { dims, data_type, name: name.clone(), raw_data });
        name
    }

    fn integers(&mut self, values: &[i64]) -> String {
        let data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(vec![values.len() as i64], INT64, data)
    }

    /// Adds what operations make of `x`, a map of that shape.
    fn ops(&mut self, ops: &[Op], mut x: String, mut shape: Shape) -> Result<String, WeightsError> {
        for op in ops {
            x = self.op(op, x, shape)?;
            shape = op.output(shape, self.crops);
        }
        Ok(x)
    }

    fn op(&mut self, op: &Op, x: String, shape: Shape) -> Result<String, WeightsError> {
        let Shape { side, channels } = shape;
        Ok(match op {
            Op::Convolution(it) => self.conv(&x, it, shape)?,
            Op::Norm(name) => {
                let mut inputs = vec![x];
                for field in ["gamma", "beta", "running_mean", "running_var"] {
                    inputs.push(self.weight(&format!("{name}.{field}"))?);
                }
                let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
                self.node("BatchNormalization", &inputs, vec![float("epsilon", NORM_EPSILON)])
            }
            Op::Relu => self.node("Relu", &[&x], vec![]),
            Op::Relu6 => {
                let [least, most] =
                    [0.0f32, 6.0].map(|limit| self.constant(vec![], FLOAT, limit.to_le_bytes().into()));
                self.node("Clip", &[&x, &least, &most], vec![])
            }
            Op::PRelu(name) => {
                let slope = self.weight(&format!("{name}.alpha"))?;
                let shape = self.integers(&[channels as i64, 1, 1]);
                let slope = self.node("Reshape", &[&slope, &shape], vec![]);
                self.node("PRelu", &[&x, &slope], vec![])
            }
            Op::AveragePool => self.node("AveragePool", &[&x], window(2)),
            Op::MaxPool => self.node("MaxPool", &[&x], window(2)),
            Op::GlobalAveragePool => {
                let mean = self.node("GlobalAveragePool", &[&x], vec![]);
                self.node("Flatten", &[&mean], vec![])
            }
            Op::Residual(body) => {
                let y = self.ops(body, x.clone(), shape)?;
                let out = op.output(shape, self.crops);
                let mut shortcut = x;
                if out.side < side {
                    shortcut = self.node("MaxPool", &[&shortcut], window(2));
                }
                if out.channels > channels {
                    let more = (out.channels - channels) as i64;
                    let pads = self.integers(&[0, 0, 0, 0, 0, more, 0, 0]);
                    shortcut = self.node("Pad", &[&shortcut, &pads], vec![]);
                }
                self.node("Add", &[&y, &shortcut], vec![])
            }
            Op::Flatten => self.rows(&x, &[1, -1]),
            Op::EachCrop(body) => {
                let y = self.ops(body, x, shape)?;
                self.rows(&y, &[1, -1])
            }
            Op::Dense(name, _) => self.linear(&x, name)?,
            Op::Dropout(_) => x,
            Op::Anchors(map) => {
                let anchors = map.anchors(self.side);
                let [values, logits] = map.convolutions();
                let values = self.conv(&x, &values, shape)?;
                let values = self.rows(&values, &[1, anchors as i64, VALUES as i64]);
                self.values.push((values, anchors));
                let logits = self.conv(&x, &logits, shape)?;
                let logits = self.rows(&logits, &[1, anchors as i64, 1]);
                self.logits.push((logits, anchors));
                x
            }
            Op::Heads => {
                let age_logits = self.linear(&x, "heads.age_class")?;
                let distribution = self.node("Softmax", &[&age_logits], vec![]);
                let age = self.linear(&distribution, "heads.age_regression")?;
                let gender_logits = self.linear(&x, "heads.gender")?;
                let gender = self.node("Softmax", &[&gender_logits], vec![]);
                self.outputs = vec![
                    ("distribution", distribution, vec![1, AGES]),
                    ("age", age, vec![1, 1]),
                    ("gender", gender, vec![1, 2]),
                ];
                x
            }
        })
    }

    fn conv(&mut self, x: &str, it: &Convolution, shape: Shape) -> Result<String, WeightsError> {
        let mut inputs = vec![x.to_owned(), self.weight(&format!("{}.weight", it.name))?];
        if it.bias {
            inputs.push(self.weight(&format!("{}.bias", it.name))?);
        }
        let inputs: Vec<_> = inputs.iter().map(String::as_str).collect();
        let [before, after] = it.padding.ends(it.kernel, it.stride, shape.side).map(|n| n as i64);
        let groups = if it.groups == Groups::Depthwise { shape.channels } else { 1 };
        let attributes = vec![
            ints("strides", &[it.stride as i64; 2]),
            ints("pads", &[before, before, after, after]),
            int("group", groups as i64),
        ];
        Ok(self.node("Conv", &inputs, attributes))
    }

    fn linear(&mut self, x: &str, name: &str) -> Result<String, WeightsError> {
        let [weight, bias] = [self.weight(&format!("{name}.weight"))?, self.weight(&format!("{name}.bias"))?];
        Ok(self.node("Gemm", &[x, &weight, &bias], vec![]))
    }

    /// All numbers of a map by row, column, channel, in another shape.
    fn rows(&mut self, x: &str, shape: &[i64]) -> String {
        let y = self.node("Transpose", &[x], vec![ints("perm", &[0, 2, 3, 1])]);
        let shape = self.integers(shape);
        self.node("Reshape", &[&y, &shape], vec![])
    }

    /// The file.
    fn finish(mut self) -> Vec<u8> {
        self.proto.inputs = vec![value(INPUT, &[self.crops, 3, self.side, self.side])];
        for (name, from, shape) in std::mem::take(&mut self.outputs) {
            let output = self.node("Identity", &[&from], vec![]);
            let node = self.proto.nodes.last_mut().expect("just added");
            debug_assert_eq!(node.outputs, [output]);
            node.outputs = vec![name.into()];
            self.proto.outputs.push(value(name, &shape));
        }
        let model = ModelProto {
            ir_version: 8,
            graph: Some(self.proto),
            opset_imports: vec![OperatorSetIdProto { version: 17 }],
        };
        model.encode_to_vec()
    }
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
