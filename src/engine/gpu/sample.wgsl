// What src/picture does with a picture in memory (`Frame::sample_into`), with one in a texture: the same
// steps in the same order, so that both engines see the same squares. `CELLS` and `READ` are those of
// src/engine/region.rs.

struct Region {
    // From pixels of the square to pixels of the picture: see `Similarity`.
    a: f32,
    b: f32,
    tx: f32,
    ty: f32,
    // The part of the texture that is the picture.
    left: f32,
    top: f32,
    width: f32,
    height: f32,
    // What lies outside of it: the nearest pixel (0) or black (1).
    black: f32,
    // Where the square goes in a texture, and its size.
    to_left: f32,
    to_top: f32,
    to_width: f32,
    to_height: f32,
    // Left and right change (1).
    mirrored: f32,
}

@group(0) @binding(0) var picture: texture_2d<f32>;
@group(0) @binding(1) var<storage, read> regions: array<Region>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var squares: texture_storage_2d<rgba8unorm, write>;

// The squares as networks want them: from -1 to 1, one after the other.
@compute @workgroup_size(8, 8)
fn to_values(@builtin(global_invocation_id) id: vec3u) {
    let region = regions[id.z];
    let size = vec2u(u32(region.to_width), u32(region.to_height));
    if any(id.xy >= size) {
        return;
    }
    let rgb = vec3f(sampled(region, shown_at(region, id.xy))) / 127.5 - 1.0;
    let at = 3u * ((id.z * size.y + id.y) * size.x + id.x);
    values[at] = rgb.r;
    values[at + 1u] = rgb.g;
    values[at + 2u] = rgb.b;
}

// The squares as parts of another picture.
@compute @workgroup_size(8, 8)
fn to_texture(@builtin(global_invocation_id) id: vec3u) {
    let region = regions[id.z];
    if any(id.xy >= vec2u(u32(region.to_width), u32(region.to_height))) {
        return;
    }
    let to = id.xy + vec2u(u32(region.to_left), u32(region.to_top));
    textureStore(squares, to, vec4f(vec3f(sampled(region, shown_at(region, id.xy))) / 255.0, 1.0));
}

// The mean brightness of each cell, row by row: `brightness` in src/engine/cpu/brightness.rs.
@compute @workgroup_size(8, 8)
fn to_cells(@builtin(global_invocation_id) id: vec3u) {
    let size = vec2u(u32(regions[0].width), u32(regions[0].height));
    let from_ = id.xy * size / CELLS;
    let to = clamp((id.xy + 1u) * size / CELLS, from_ + 1u, max(size, from_ + 1u));
    let step = (to - from_ + (READ - 1u)) / READ;
    var sum = 0u;
    var count = 0u;
    for (var y = from_.y; y < to.y; y += step.y) {
        for (var x = from_.x; x < to.x; x += step.x) {
            let rgb = texel(vec2i(vec2u(x, y)));
            sum += rgb.r + 2u * rgb.g + rgb.b;
            count += 4u;
        }
    }
    values[id.y * CELLS + id.x] = f32(sum) / f32(count);
}

// Which pixel of the square is shown at that place.
fn shown_at(region: Region, at: vec2u) -> vec2f {
    if region.mirrored == 1.0 {
        return vec2f(region.to_width - 1.0 - f32(at.x), f32(at.y));
    }
    return vec2f(at);
}

// The square's pixel, in bytes.
fn sampled(region: Region, at: vec2f) -> vec3u {
    if region.b == 0.0 && region.a >= 1.0 {
        return averaged(region, at);
    }
    return interpolated(region, at);
}

// Of the picture made smaller by a whole factor.
fn interpolated(region: Region, at: vec2f) -> vec3u {
    let scale = length(vec2f(region.a, region.b));
    let factor = clamp(floor(scale + 0.01), 1.0, 16.0);
    let grid = clamp(ceil(scale / factor - 0.01), 1.0, 16.0);
    var sum = vec3u();
    for (var j = 0.0; j < grid; j += 1.0) {
        for (var i = 0.0; i < grid; i += 1.0) {
            let p = at + (vec2f(i, j) + 0.5) / grid;
            let place = vec2f(region.a * p.x - region.b * p.y + region.tx, region.b * p.x + region.a * p.y + region.ty);
            sum += bilinear(region, i32(factor), place / factor);
        }
    }
    let samples = u32(grid * grid);
    return (sum + samples / 2u) / samples;
}

// Between the four nearest pixel centres, in parts of 256.
fn bilinear(region: Region, factor: i32, at: vec2f) -> vec3u {
    // Far-away places stay outside, and whole numbers hold them.
    let place = clamp(at - 0.5, vec2f(-2.0), vec2f(region.width, region.height) + 2.0);
    let parts = vec2i(round(place * 256.0));
    let xy = parts >> vec2u(8u);
    let within = vec2u(parts & vec2i(255));
    let both = (within.x * within.y + 128u) >> 8u;
    let sum = pixel(region, factor, xy) * (256u + both - within.x - within.y)
        + pixel(region, factor, xy + vec2i(1, 0)) * (within.x - both)
        + pixel(region, factor, xy + vec2i(0, 1)) * (within.y - both)
        + pixel(region, factor, xy + vec2i(1, 1)) * both;
    return (sum + 128u) >> vec3u(8u);
}

// The mean of factor x factor of the picture's pixels.
fn pixel(region: Region, factor: i32, at: vec2i) -> vec3u {
    let size = vec2i(i32(region.width), i32(region.height));
    let blocks = (size + factor - 1) / factor;
    if region.black == 1.0 && (any(at < vec2i()) || any(at >= blocks)) {
        return vec3u();
    }
    let first = clamp(at, vec2i(), blocks - 1) * factor;
    let origin = vec2i(i32(region.left), i32(region.top));
    var sum = vec3u();
    for (var y = first.y; y < first.y + factor; y += 1) {
        for (var x = first.x; x < first.x + factor; x += 1) {
            if region.black == 0.0 || (x < size.x && y < size.y) {
                sum += texel(min(vec2i(x, y), size - 1) + origin);
            }
        }
    }
    let area = u32(factor * factor);
    return (sum + area / 2u) / area;
}

// A texture's numbers are 255ths. What is transparent is over white: `flatten` in src/picture.
fn texel(at: vec2i) -> vec3u {
    let rgba = textureLoad(picture, at, 0);
    return vec3u(round(255.0 * (rgba.rgb * rgba.a + (1.0 - rgba.a))));
}

// The mean of the picture's pixels under the square's pixel, those cut by its edge in part: weights along
// each axis sum to 256.
fn averaged(region: Region, at: vec2f) -> vec3u {
    let columns = spanned(region.tx, region.a, at.x, region.width);
    let rows = spanned(region.ty, region.a, at.y, region.height);
    let origin = vec2i(i32(region.left), i32(region.top));
    var sum = vec3u(32768u);
    var down = Given();
    for (var y = rows.first; y < rows.end; y += 1) {
        var row = vec3u();
        var along = Given();
        for (var x = columns.first; x < columns.end; x += 1) {
            row += texel(vec2i(x, y) + origin) * weight(columns, x, region, &along);
        }
        sum += row * weight(rows, y, region, &down);
    }
    return sum >> vec3u(16u);
}

// The pixels under one of the square's along an axis, and its edges.
struct Span {
    low: f32,
    high: f32,
    length: f32,
    first: i32,
    end: i32,
}

fn spanned(start: f32, scale: f32, i: f32, length: f32) -> Span {
    let low = start + i * scale;
    let high = start + (i + 1.0) * scale;
    let first = min(i32(floor(clamp(low, 0.0, length))), i32(length) - 1);
    let end = clamp(i32(ceil(clamp(high, 0.0, length))), first + 1, i32(length));
    return Span(low, high, length, first, end);
}

// What has been covered of a span, and the weight given for it.
struct Given {
    covered: f32,
    weight: u32,
}

// The weight of the next pixel. It is rounded so that what is left over goes to the one after, and the sum is
// right.
fn weight(span: Span, at: i32, region: Region, given: ptr<function, Given>) -> u32 {
    let p = f32(at);
    let low = clamp(span.low, 0.0, span.length);
    let high = clamp(span.high, 0.0, span.length);
    var covered = max(min(p + 1.0, high) - max(p, low), 0.0);
    if region.black == 0.0 {
        // What lies outside shows the edge.
        if at == span.first {
            covered += max(min(span.high, 0.0) - span.low, 0.0);
        }
        if at + 1 == span.end {
            covered += max(span.high - max(span.low, span.length), 0.0);
        }
    }
    let sum = (*given).covered + covered / region.a;
    let due = u32(floor(sum * 256.0 + 0.5));
    let more = due - (*given).weight;
    *given = Given(sum, due);
    return more;
}
