//! Each kernel alone, on one thread, in the shapes that the networks have: `cargo bench --bench kernels`.
//! Ends with a table of the median times and of the share of the machine's peak, which is measured in the
//! same run by multiply-adds that touch no memory.

use std::hint::black_box;
use std::path::PathBuf;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};
use mien::kernels::training::{
    Backward, Block, BlockInput, BlockScratch, BlockShape, NormGradient, Normalisation,
};
use mien::kernels::{
    Activation, ConvShape, Separable, SeparableShape, Stem, Window, Winograd, conv3x3_relu_pool, dense, lanes,
};
use pulp::{Arch, Simd, WithSimd};
use serde::Deserialize;

fn main() {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let folder = folder.join("criterion");
    let mut criterion = Criterion::default().output_directory(&folder).configure_from_args();
    let rows = {
        let mut bench = Bench { group: criterion.benchmark_group("kernels"), rows: Vec::new() };
        bench.peak();
        bench.inference();
        bench.training();
        bench.group.finish();
        bench.rows
    };
    criterion.final_summary();
    table(&rows, &folder);
}

/// A kernel and its multiply-adds.
struct Row {
    name: &'static str,
    multiply_adds: usize,
}

struct Bench<'a> {
    group: BenchmarkGroup<'a, WallTime>,
    rows: Vec<Row>,
}

const PEAK: &str = "peak";

/// Neither zero nor tiny: numbers near zero can cost more.
fn floats(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.01).collect()
}

impl Bench<'_> {
    fn run(&mut self, name: &'static str, multiply_adds: usize, mut work: impl FnMut()) {
        self.group.throughput(Throughput::Elements(multiply_adds as u64));
        self.group.bench_function(name, |b| b.iter(&mut work));
        self.rows.push(Row { name, multiply_adds });
    }

    fn peak(&mut self) {
        let lanes = Arch::new().dispatch(Lanes);
        self.run(PEAK, Peak::STEPS * Peak::SUMS * lanes, || {
            black_box(Arch::new().dispatch(Peak { factor: black_box(0.999) }));
        });
    }

    /// What a visitor's frame is made of.
    fn inference(&mut self) {
        let blocks = [
            ("D-CNN block 1, 160x160x3", block(160, 3)),
            ("D-CNN block 2, 79x79x32", block(79, 32)),
            ("D-CNN block 3, 38x38x32", block(38, 32)),
            ("D-CNN block 4, 18x18x32", block(18, 32)),
            ("Base CNN convolution, 160x160x3", ConvShape { stride: 2, pool: 1, ..block(160, 3) }),
        ];
        for (name, shape) in blocks {
            let (input, weights, bias) = (floats(shape.in_len()), floats(shape.weight_len()), floats(32));
            let mut out = vec![0.0; shape.pooled_len()];
            self.run(name, multiply_adds(&shape), || {
                conv3x3_relu_pool(&shape, &input, &weights, &bias, black_box(&mut out));
            });
        }
        for (name, shape) in [
            ("D-CNN block 2 by Winograd", block(79, 32)),
            ("D-CNN block 3 by Winograd", block(38, 32)),
            ("D-CNN block 4 by Winograd", block(18, 32)),
        ] {
            let winograd = Winograd::new(shape, &floats(shape.weight_len()), &floats(32));
            let (input, mut out) = (floats(shape.in_len()), vec![0.0; shape.pooled_len()]);
            let mut scratch = Vec::new();
            // The multiply-adds of the definition, so that the share is comparable and may pass 100 %.
            self.run(name, multiply_adds(&shape), || {
                winograd.relu_pool(&input, black_box(&mut out), &mut scratch);
            });
        }
        for (name, inputs, outputs) in
            [("D-CNN dense, 512 to 1024", 512, 1024), ("Base CNN dense, 199712 to 10", 79 * 79 * 32, 10)]
        {
            let (input, weights) = (floats(inputs), floats(inputs * outputs));
            let (bias, mut out) = (floats(outputs), vec![0.0; outputs]);
            self.run(name, inputs * outputs, || dense(&input, &weights, &bias, black_box(&mut out)));
        }

        let kernel = floats(24 * 3 * 5 * 5);
        let stem = Stem::new(&kernel, &floats(24), lanes());
        let rgb: Vec<u8> = (0..128 * 128 * 3).map(|i| (i * 31 % 251) as u8).collect();
        let (mut out, mut scratch) = (vec![0.0; stem.out_len([128; 2])], Vec::new());
        self.run("detector stem, 128x128x3", 64 * 64 * kernel.len(), || {
            stem.run(&rgb, [128; 2], black_box(&mut out), &mut scratch);
        });
        for (name, side, channels_in, channels_out, stride) in [
            ("detector block 1, 64x64x24", 64, 24, 24, 1),
            ("detector block 3, 64x64x28, stride 2", 64, 28, 32, 2),
            ("detector block 10, 16x16x80", 16, 80, 88, 1),
            ("detector block 16, 8x8x96", 8, 96, 96, 1),
        ] {
            let shape = SeparableShape { channels_in, channels_out, stride, padding: lanes() };
            let block = Separable::new(
                shape,
                [&floats(9 * channels_in), &floats(channels_in)],
                [&floats(channels_out * channels_in), &floats(channels_out)],
            );
            let (input, mut out) = (floats(shape.in_len([side; 2])), vec![0.0; shape.out_len([side; 2])]);
            let pixels = (side / stride) * (side / stride);
            self.run(name, pixels * channels_in * (9 + channels_out), || {
                block.run(&input, [side; 2], black_box(&mut out), &mut scratch);
            });
        }
    }

    /// What a training step is made of, forward and back: D-CNN's second block, and an inverted bottleneck's
    /// three.
    fn training(&mut self) {
        let point = Window { kernel: 1, stride: 1, padding: [0, 0] };
        let valid = Window { kernel: 3, ..point };
        let shape = BlockShape {
            size: [79; 2],
            channels_in: 32,
            channels_out: 32,
            window: valid,
            depthwise: false,
            activation: Activation::Relu,
            pool: 2,
        };
        let wide = BlockShape {
            size: [32; 2],
            channels_in: 144,
            channels_out: 144,
            window: Window { padding: [1, 1], ..valid },
            depthwise: true,
            activation: Activation::Relu6,
            pool: 1,
        };
        let expand = BlockShape { channels_in: 24, window: point, depthwise: false, ..wide };
        let project =
            BlockShape { channels_in: 144, channels_out: 24, activation: Activation::None, ..expand };
        for (forward, back, shape) in [
            ("training: D-CNN block 2", "training: D-CNN block 2, back", shape),
            ("training: 1x1, 32x32x24 to 144", "training: 1x1, 32x32x24 to 144, back", expand),
            ("training: depthwise 3x3, 32x32x144", "training: depthwise 3x3, 32x32x144, back", wide),
            ("training: 1x1, 32x32x144 to 24", "training: 1x1, 32x32x144 to 24, back", project),
        ] {
            self.step([forward, back], shape);
        }
    }

    fn step(&mut self, [forward, back]: [&'static str; 2], shape: BlockShape) {
        let block =
            Block::new(shape, &floats(shape.kernel_len()), shape.channels_in.next_multiple_of(lanes()));
        let channels = shape.padded_out();
        let work = shape.out().iter().product::<usize>() * shape.kernel_len();
        let input = floats(block.in_len());
        let norm = |channels: usize, activation| Normalisation {
            scale: floats(channels),
            shift: floats(channels),
            activation,
        };
        let before = norm(shape.channels_in.next_multiple_of(lanes()), Activation::Relu6);
        let source = BlockInput { values: &input, through: Some(&before) };
        let (mut conv_out, mut sums) = (vec![0.0; shape.out_len()], vec![0.0; 2 * channels]);
        let mut scratch = BlockScratch::default();
        self.run(forward, work, || {
            block.forward(source, black_box(&mut conv_out), &mut sums, &mut scratch);
        });
        let norm = NormGradient {
            forward: norm(channels, shape.activation),
            offset: floats(channels),
            slope: floats(channels),
        };
        let gradient = floats(shape.pooled_len());
        let of = Backward { block: &block, source, conv_out: &conv_out, gradient: &gradient, norm: &norm };
        let (mut d_weight, mut d_input) = (vec![0.0; block.weight_len()], vec![0.0; block.in_len()]);
        let mut sums = vec![0.0; 2 * shape.channels_in.next_multiple_of(lanes())];
        self.run(back, 2 * work, || {
            d_weight.fill(0.0);
            of.run(black_box(&mut d_weight), Some(black_box(&mut d_input)), &mut sums, &mut scratch);
        });
    }
}

fn block(side: usize, channels_in: usize) -> ConvShape {
    ConvShape { height: side, width: side, channels_in, channels_out: 32, stride: 1, pool: 2 }
}

fn multiply_adds(shape: &ConvShape) -> usize {
    shape.out_height() * shape.out_width() * shape.weight_len()
}

struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

/// Multiply-adds in registers alone, in as many independent sums as hide their latency.
struct Peak {
    factor: f32,
}

impl Peak {
    const STEPS: usize = 4096;
    const SUMS: usize = 12;
}

impl WithSimd for Peak {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (factor, one) = (simd.splat_f32s(self.factor), simd.splat_f32s(1.0));
        let mut sums = [one; Self::SUMS];
        for _ in 0..Self::STEPS {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, one);
            }
        }
        let sum = sums.into_iter().reduce(|a, b| simd.add_f32s(a, b)).expect("some");
        simd.reduce_sum_f32s(sum)
    }
}

/// Reads criterion's own results back.
fn table(rows: &[Row], folder: &std::path::Path) {
    let median = |row: &Row| -> Option<f64> {
        #[derive(Deserialize)]
        struct Estimates {
            median: Estimate,
        }
        #[derive(Deserialize)]
        struct Estimate {
            point_estimate: f64,
        }
        // Criterion turns what can't be in a file's name into underscores.
        let name = row.name.replace([':', '/'], "_");
        let text = std::fs::read(folder.join("kernels").join(name).join("new/estimates.json")).ok()?;
        Some(serde_json::from_slice::<Estimates>(&text).ok()?.median.point_estimate)
    };
    let speed = |row: &Row| Some(row.multiply_adds as f64 / median(row)?);
    let Some(peak) = rows.iter().find(|row| row.name == PEAK).and_then(speed) else {
        println!("\nNo table: the peak was not measured.");
        return;
    };
    println!("\nPeak: {peak:.1} multiply-adds a nanosecond on one thread.\n");
    println!("| kernel | median | multiply-adds a ns | share of the peak |");
    println!("|---|---|---|---|");
    for row in rows.iter().filter(|row| row.name != PEAK) {
        if let (Some(median), Some(speed)) = (median(row), speed(row)) {
            println!(
                "| {} | {:.1} µs | {speed:.1} | {:.0} % |",
                row.name,
                median / 1e3,
                100.0 * speed / peak
            );
        }
    }
}
