//! Anchors: the places that BlazeFace's outputs are relative to.

use super::INPUT_SIDE;
use super::architecture::MAPS;

/// The centres of all anchors, in pixels of the network's input, in the order of its outputs: map by map, cells in
/// reading order, and the anchors of a cell, which share its centre (they have no sizes of their own in BlazeFace).
pub fn anchors() -> impl Iterator<Item = [f32; 2]> {
    MAPS.into_iter().flat_map(|map| {
        let stride = (INPUT_SIDE / map.side) as f32;
        (0..map.side * map.side * map.anchors).map(move |i| {
            let cell = i / map.anchors;
            [cell % map.side, cell / map.side].map(|at| (at as f32 + 0.5) * stride)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_each_small_cell_and_six_in_each_large_one() {
        let anchors: Vec<_> = anchors().collect();
        assert_eq!(anchors.len(), 896);
        assert_eq!(anchors[..3], [[4.0, 4.0], [4.0, 4.0], [12.0, 4.0]]);
        assert_eq!(anchors[32], [4.0, 12.0]); // second row
        assert_eq!(anchors[511], [124.0, 124.0]);
        assert_eq!(anchors[512..519], [[[8.0, 8.0]; 6].as_slice(), &[[24.0, 8.0]]].concat());
        assert_eq!(anchors[895], [120.0, 120.0]);
    }
}
