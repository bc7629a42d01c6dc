//! The exponential moving average of the weights: smoother than any single step, and better on pictures not
//! seen.

use crate::weights::Weights;

/// Averages `latest` into `average`. `step` counts from 0; early on the average forgets faster, so that it
/// does not keep the random start.
///
/// # Panics
/// If the two are of different networks.
pub fn update(average: &mut Weights, latest: &Weights, decay: f32, step: usize) {
    let keep = decay.min((1.0 + step as f32) / (10.0 + step as f32));
    for (name, tensor) in &mut average.tensors {
        let latest = &latest.tensors[name].values;
        assert_eq!(tensor.values.len(), latest.len());
        for (value, latest) in tensor.values.iter_mut().zip(latest) {
            *value += (latest - *value) * (1.0 - keep);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::NamedTensor;

    #[test]
    fn follows_and_lags() {
        let of = |v: f32| Weights {
            tensors: [("a".to_owned(), NamedTensor { shape: vec![1], values: vec![v] })].into(),
            ..Weights::default()
        };
        let mut average = of(0.0);
        update(&mut average, &of(1.0), 0.99, 0);
        assert!((average.tensors["a"].values[0] - 0.9).abs() < 1e-6);
        update(&mut average, &of(0.0), 0.99, 100_000);
        assert!((average.tensors["a"].values[0] - 0.9 * 0.99).abs() < 1e-6);
    }
}
