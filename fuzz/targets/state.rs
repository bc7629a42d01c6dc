//! What one browser module hands to another of a video's faces, and what the other makes of it.

#![no_main]

use std::cell::LazyCell;

use libfuzzer_sys::{Corpus, fuzz_target};
use mien::engine::RawEstimate;
use mien::pipeline::track::{Observation, Tracker};
use mien_fuzz::Input;

thread_local! {
    /// One that knows somebody, and its state.
    static KNOWING: LazyCell<(Tracker, Vec<u8>)> = LazyCell::new(|| {
        let mut tracker = Tracker::default();
        tracker.update(0.0, &[seen(&mut Input(b"somebody"))]);
        let state = tracker.state();
        (tracker, state)
    });
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let mut tracker = KNOWING.with(|knowing| knowing.0.clone());
    if tracker.restore(bytes).is_err() {
        // To write it down takes longer than all else.
        if bytes.len().is_multiple_of(16) {
            KNOWING.with(|knowing| assert_eq!(tracker.state(), knowing.1, "nothing changes then"));
        }
        return Corpus::Keep;
    }
    // Whatever was taken in is a state, and stays one.
    let mut input = Input(bytes.split_at(bytes.len() / 2).1);
    let mut time = 0.0;
    for _ in 0..12 {
        let state = tracker.state();
        let mut other = Tracker::default();
        other.restore(&state).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&state)));
        assert_eq!(other.state(), state);
        time = input.next_ms(time);
        let tracks = tracker.update(time, &[seen(&mut input), seen(&mut input)]);
        assert!(
            tracks.len() <= 2
                && tracks.iter().all(|track| tracks.iter().filter(|it| it.id == track.id).count() == 1)
        );
        for track in tracks {
            let [low, high] = track.age_range;
            assert!(low <= track.age && track.age <= high, "{track:?}");
            assert!((0.0..=1.0).contains(&track.female), "{track:?}");
        }
    }
    Corpus::Keep
});

fn seen(input: &mut Input) -> Observation {
    let mut ages = [0.001; 100];
    ages[input.below(100)] = 1.0;
    let estimate = RawEstimate { age_distribution: ages, age: 30.0, female: 0.25 };
    Observation { detection: input.face(), estimate: Some(estimate) }
}
