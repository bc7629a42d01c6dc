//! That every engine says what the burn module says, of our networks and of one that has every operation.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};

use super::cpu;
use super::gpu;
use crate::kernels::lanes;
use crate::net::fused;
use crate::net::heads::NUMBERS;
use crate::net::{
    Input, Network, NetworkKind, NetworkModule, Op, Padding, RGB, blaze_face, conv, dense, depthwise, norm,
};
use crate::weights::{NamedTensor, Precision, Weights};

/// Pictures without a pattern, for so many rows.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn tensor<const D: usize>(rgb: &[u8], shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = rgb.iter().map(|v| f32::from(*v) / 127.5 - 1.0).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The largest difference, as a part of the largest number where that is more than 1.
fn difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0f32, |m, v| m.max(v.abs()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

/// What WebGPU's layers run on: an adapter of this machine in a build with WebGPU, a software one will do;
/// else burn's CPU back end.
fn adapter() -> Device {
    #[cfg(feature = "webgpu")]
    return {
        // A process has it once, whichever test comes first.
        static ADAPTER: std::sync::OnceLock<Device> = std::sync::OnceLock::new();
        let start = || pollster::block_on(Device::wgpu_options().init_async());
        ADAPTER.get_or_init(|| start().expect("this takes a Vulkan, Metal or DirectX adapter")).clone()
    };
    #[cfg(not(feature = "webgpu"))]
    Device::flex()
}

/// Runs three rows of inputs of that side on burn, on the CPU and on WebGPU's layers.
fn agrees(network: &Network, weights: &Weights, side: usize) {
    let device = Device::flex();
    let crops = network.input.crops();
    let len = crops * side * side * RGB;
    let module = NetworkModule::new(network, &device).with_weights(weights).unwrap();
    let plans = [lanes(), 16].map(|lanes| cpu::CpuPlan::padded(network, weights, lanes).unwrap());
    let adapter = adapter();
    let gpu = gpu::GpuPlan::new(network, weights, &adapter).unwrap();
    let (mut scratch, mut numbers) = (cpu::CpuScratch::default(), Vec::new());

    let pictures = noise(3 * len, side as u32);
    let expected = module.numbers(tensor(&pictures, [3, crops, side, side, RGB], &device));
    let on_device = gpu.forward(tensor(&pictures, [3 * crops, side, side, RGB], &adapter));
    let vec = |tensor: Tensor<2>| tensor.into_data().try_into_vec::<f32>().unwrap();
    let (expected, on_device) = (vec(expected), vec(on_device));
    for (i, expected) in expected.chunks_exact(expected.len() / 3).enumerate() {
        for plan in &plans {
            numbers.clear();
            plan.run(&pictures[i * len..][..len], side, &mut scratch, &mut numbers);
            let off = difference(&numbers, expected);
            println!("{} at {side}, CPU: {off:e}", network.name);
            assert!(off < 1e-4, "{} at {side}, CPU: {off}", network.name);
        }
        let row = on_device.len() / 3;
        numbers.clear();
        gpu.numbers(&on_device[i * row..][..row], side, &mut numbers);
        let off = difference(&numbers, expected);
        println!("{} at {side}, WebGPU's layers: {off:e}", network.name);
        assert!(off < 1e-3, "{} at {side}, WebGPU's layers: {off}", network.name);
    }
}

/// Normalisation as after training, so that folding it is put to the test.
fn normalised(network: &Network) -> Weights {
    let mut weights = NetworkModule::new(network, &Device::flex()).to_weights();
    for (name, tensor) in &mut weights.tensors {
        let spread = |i: usize| ((i * 37 + 11) % 17) as f32 / 17.0;
        let values = tensor.values.iter_mut().enumerate();
        match name.rsplit('.').next().unwrap() {
            "gamma" | "running_var" => values.for_each(|(i, v)| *v = 0.6 + spread(i)),
            "beta" | "running_mean" => values.for_each(|(i, v)| *v = spread(i) - 0.5),
            "alpha" => values.for_each(|(i, v)| *v = spread(i)),
            _ => {}
        }
    }
    weights
}

#[test]
fn every_network_agrees_with_its_definition() {
    for kind in NetworkKind::ALL {
        let network = kind.network();
        agrees(network, &normalised(network), network.input.side);
    }
    let file = include_bytes!("../../model-weights/blazeface/blazeface-short.safetensors");
    let (network, weights) = (blaze_face::table(), Weights::from_bytes(file).unwrap());
    for side in [128, 64] {
        agrees(&network, &weights, side);
    }
}

#[test]
fn scratch_can_be_used_again() {
    let file = include_bytes!("../../model-weights/blazeface/blazeface-short.safetensors");
    let plan = cpu::CpuPlan::new(&blaze_face::table(), &Weights::from_bytes(file).unwrap()).unwrap();
    let mut scratch = cpu::CpuScratch::default();
    let mut run = |side: usize, seed| {
        let mut numbers = Vec::new();
        plan.run(&noise(side * side * RGB, seed), side, &mut scratch, &mut numbers);
        (numbers, scratch.addresses())
    };
    let (first, before) = run(128, 1);
    run(128, 3);
    run(64, 3);
    assert_eq!(run(128, 1), (first, before), "the same numbers, and nothing was allocated again");
}

/// Every operation there is, on one picture or on several crops.
fn everything(crops: bool, dropout: f64) -> Network {
    let block = |name: &str, conv: crate::net::Convolution| {
        [crate::net::Convolution { name: format!("{name}.conv"), ..conv }.op(), norm(format!("{name}.norm"))]
    };
    let (same, centred) = (Padding::Same, Padding::Centred);
    let mut body = Vec::new();
    // What training fuses: without bias; padded; with stride; 1x1; depthwise; without an activation.
    body.extend(block("a", conv("", 16, 3).no_bias()));
    body.extend([Op::Relu, Op::AveragePool]);
    body.extend(block("b", conv("", 24, 5).stride(2).padding(same)));
    body.push(Op::Relu6);
    body.extend(block("c", conv("", 16, 1)));
    let mut bottleneck = block("d.expand", conv("", 48, 1).no_bias()).to_vec();
    bottleneck.push(Op::Relu6);
    bottleneck.extend(block("d.depthwise", depthwise("", 3).padding(centred).no_bias()));
    bottleneck.push(Op::Relu6);
    bottleneck.extend(block("d.project", conv("", 16, 1).no_bias()));
    body.push(Op::Residual(bottleneck));
    body.extend(block("e", depthwise("", 5).stride(2).padding(centred)));
    body.push(Op::Relu);
    body.extend(block("f", conv("", 32, 3).padding(centred)));
    body.push(Op::Relu);
    // A blaze block; a residual that halves, widens and is normalised behind its activation, before padding.
    body.push(Op::Residual(vec![
        depthwise("g.depthwise", 3).padding(same).op(),
        conv("g.pointwise", 40, 1).op(),
    ]));
    body.extend([Op::Relu, norm("g.norm")]);
    body.push(Op::Residual(vec![
        conv("h", 48, 3).stride(2).padding(same).op(),
        Op::PRelu("h.prelu".into()),
        norm("h.norm"),
    ]));
    body.extend([Op::PRelu("i.prelu".into()), norm("i.norm"), conv("j", 20, 7).padding(centred).op()]);
    body.extend([Op::Relu6, norm("j.norm"), Op::AveragePool, depthwise("k", 1).op(), Op::MaxPool]);
    let mut ops = match crops {
        true => {
            body.push(Op::GlobalAveragePool);
            vec![Op::EachCrop(body)]
        }
        false => {
            body.push(Op::Flatten);
            body
        }
    };
    ops.extend([dense("l", 24), Op::Relu, Op::Dropout(dropout), norm("l.norm"), dense("m", 16)]);
    ops.extend([norm("m.norm"), Op::PRelu("m.prelu".into()), Op::Dropout(dropout), Op::Heads]);
    let extents: &[f32] = if crops { &[150.0, 100.0, 50.0] } else { &[160.0] };
    Network {
        name: if crops { "everything-crops" } else { "everything" },
        title: "Everything",
        input: Input { side: 131, extents, centre: [80.0, 80.0] },
        ops,
    }
}

/// The weights after some steps of training, on pictures by that seed.
fn trained(network: &Network, start: &Weights, steps: u32, seed: u32, composed: bool) -> Weights {
    let _guard = composed.then(fused::suspend);
    let device = Device::flex().autodiff();
    let mut module = NetworkModule::new(network, &device).with_weights(start).unwrap();
    let mut optimizer = SgdConfig::new().init();
    let Input { side, .. } = network.input;
    for step in 0..steps {
        let pictures = noise(4 * network.input.values(), seed + step);
        let x = tensor(&pictures, [4, network.input.crops(), side, side, RGB], &device);
        let numbers = module.numbers(x);
        // Any smooth function of the numbers that weighs each differently.
        let weights: Vec<f32> = (0..NUMBERS).map(|i| ((i * 7 + 3) % 23) as f32 * 0.1 - 1.0).collect();
        let weights = Tensor::<1>::from_floats(weights.as_slice(), &device).unsqueeze::<2>();
        // Steep enough for the changes to stand out from rounding.
        let loss = ((numbers * 0.1).powi_scalar(2) * weights).mean() * 300.0;
        let gradients = GradientsParams::from_grads(loss.backward(), &module);
        module = optimizer.step(0.02, module, gradients);
    }
    module.valid().to_weights()
}

/// A network is a table and a weight file: nothing else is needed to train it, to save it and to run it on
/// every engine.
#[test]
fn a_table_is_all_that_a_network_takes() {
    for crops in [false, true] {
        // Without dropout, whose random numbers the tests of other threads draw from, too.
        let network = everything(crops, 0.0);
        let start = normalised(&network);
        // By the first step, whose changes are the gradients: burn's own.
        //
        // Where rounding turns a value just above zero into one below, an activation's gradient is another,
        // and a weight's with it by three thousandths on the smaller maps. Which values those are depends on
        // the pictures, the machine and the order in which threads add. A wrong gradient is wrong on all
        // pictures: the best of three counts.
        let largest = |values: &[f32]| values.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let mut best = BTreeMap::<String, (f32, f32)>::new();
        for seed in [7, 19, 31] {
            let [fused, composed] =
                [false, true].map(|composed| trained(&network, &start, 1, seed, composed).tensors);
            for (name, tensor) in &start.tensors {
                let change = |end: &BTreeMap<String, NamedTensor>| -> Vec<f32> {
                    end[name].values.iter().zip(&tensor.values).map(|(end, start)| end - start).collect()
                };
                let (fused, composed) = (change(&fused), change(&composed));
                let off = largest(&fused.iter().zip(&composed).map(|(a, b)| a - b).collect::<Vec<_>>());
                let change = largest(&composed);
                println!("{name}: off by {off:e} of {change:e}");
                let found = (off / (change + 3e-4), change);
                let known = best.entry(name.clone()).or_insert(found);
                *known = (known.0.min(found.0), known.1.max(change));
            }
        }
        for (name, (off, change)) in &best {
            assert!(*off < 1e-2, "{name}: {off} of {change}");
        }
        // All but the biases that normalisation takes away again.
        let moved = best.values().filter(|(_, change)| *change > 1e-5).count();
        assert!(moved * 10 > best.len() * 9, "{moved} of {}", best.len());
        let network = everything(crops, 0.2);
        let fused = trained(&network, &start, 3, 7, false);
        let file = fused.to_bytes(Precision::Single).unwrap();
        agrees(&network, &Weights::from_bytes(&file).unwrap(), network.input.side);
    }
}
