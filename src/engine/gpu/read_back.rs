//! What comes back from the device.
//!
//! Whoever needs numbers from there only asks for them at first, and all that was asked for comes back
//! together, in one buffer, once somebody [waits](crate::engine::Outputs::wait).

use std::cell::{OnceCell, RefCell};
use std::rc::{Rc, Weak};

use burn::tensor::Tensor;

use crate::engine::EngineError;

/// Tensors that have been asked for.
#[derive(Debug, Default)]
pub struct ReadBack {
    asked: RefCell<Vec<Asked>>,
}

#[derive(Debug)]
struct Asked {
    tensor: Tensor<1>,
    answer: Weak<OnceCell<Vec<f32>>>,
}

/// The numbers of a tensor, once they have been read back.
#[derive(Debug, Clone)]
pub struct ReadBackAnswer(Rc<OnceCell<Vec<f32>>>);

impl ReadBackAnswer {
    /// The numbers, if they are here.
    pub fn get(&self) -> Option<&[f32]> {
        self.0.get().map(Vec::as_slice)
    }
}

impl ReadBack {
    /// Asks for the numbers of a tensor, which need not have been computed yet. They are not read if the
    /// answer is gone by then.
    pub fn ask(&self, tensor: Tensor<1>) -> ReadBackAnswer {
        let answer = Rc::default();
        self.asked.borrow_mut().push(Asked { tensor, answer: Rc::downgrade(&answer) });
        ReadBackAnswer(answer)
    }

    /// ReadBack back all that has been asked for: once, or not at all if that is nothing.
    ///
    /// # Errors
    /// [`EngineError::Lost`]; what was asked for never comes then.
    pub async fn run(&self) -> Result<(), EngineError> {
        let asked = self.asked.take().into_iter();
        let (mut tensors, answers): (Vec<_>, Vec<_>) =
            asked.filter_map(|asked| Some((asked.tensor, asked.answer.upgrade()?))).unzip();
        let lengths: Vec<usize> = tensors.iter().map(|tensor| tensor.dims()[0]).collect();
        let tensor = match tensors.len() {
            0 => return Ok(()),
            1 => tensors.remove(0),
            _ => Tensor::cat(tensors, 0),
        };
        let data = tensor.into_data_async().await.map_err(|e| EngineError::Lost(e.to_string()))?;
        let values: Vec<f32> = data.try_into_vec().map_err(|e| EngineError::Lost(format!("{e:?}")))?;
        let mut rest = values.as_slice();
        for (answer, length) in answers.iter().zip(lengths) {
            let (here, after) = rest.split_at(length);
            // Nobody else fills it.
            let _ = answer.set(here.to_vec());
            rest = after;
        }
        Ok(())
    }
}

/// On burn's CPU back end.
#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn everybody_gets_what_they_asked_for() {
        let read_back = ReadBack::default();
        let tensor = |values: &[f32]| Tensor::<1>::from_floats(values, &Device::flex());
        let wait = || pollster::block_on(read_back.run()).unwrap();
        wait();

        let one = read_back.ask(tensor(&[1.0, 2.0]));
        assert_eq!(one.get(), None);
        wait();
        assert_eq!(one.get(), Some(&[1.0, 2.0][..]));

        let first = read_back.ask(tensor(&[3.0]));
        drop(read_back.ask(tensor(&[4.0, 5.0])));
        let [second, none] = [&[6.0, 7.0, 8.0][..], &[]].map(|values| read_back.ask(tensor(values)));
        wait();
        assert_eq!(first.get(), Some(&[3.0][..]));
        assert_eq!(second.get(), Some(&[6.0, 7.0, 8.0][..]));
        assert_eq!(none.get(), Some(&[][..]));
        assert!(read_back.asked.borrow().is_empty());
    }
}
