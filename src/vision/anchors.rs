//! Anchors: the places that BlazeFace's outputs are relative to.

use crate::net::blaze_face::MAPS;

/// The centres of all anchors, in pixels of the network's input of `side` x `side`, in the order of its
/// outputs: map by map, cells in reading order, and the anchors of a cell, which share its centre (they have
/// no sizes of their own in BlazeFace).
pub fn anchors(side: usize) -> impl Iterator<Item = [f32; 2]> {
    MAPS.into_iter().flat_map(move |map| {
        let cells = side / map.stride;
        (0..map.anchors(side)).map(move |i| {
            let cell = i / map.anchors;
            [cell % cells, cell / cells].map(|at| (at as f32 + 0.5) * map.stride as f32)
        })
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn two_in_each_small_cell_and_six_in_each_large_one() {
        let anchors: Vec<_> = super::anchors(128).collect();
        assert_eq!(anchors.len(), 896);
        assert_eq!(anchors[..3], [[4.0, 4.0], [4.0, 4.0], [12.0, 4.0]]);
        assert_eq!(anchors[32], [4.0, 12.0]); // second row
        assert_eq!(anchors[511], [124.0, 124.0]);
        assert_eq!(anchors[512..519], [[[8.0, 8.0]; 6].as_slice(), &[[24.0, 8.0]]].concat());
        assert_eq!(anchors[895], [120.0, 120.0]);

        let anchors: Vec<_> = super::anchors(64).collect();
        assert_eq!(anchors.len(), 224);
        assert_eq!(anchors[16..18], [[4.0, 12.0]; 2]);
        assert_eq!(anchors[223], [56.0, 56.0]);
    }
}
