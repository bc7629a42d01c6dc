//! Cameras of Linux by themselves, without ffmpeg: with the feature `v4l` (`Cargo.toml` says why it is one).
//!
//! The crate opens, maps, waits and counts. Some questions are put to the device without it, by the crate's own
//! declarations: its answers to them panic where a driver says what the crate does not know, or a name is cut off in the
//! middle of a letter.

use std::ffi::c_void;
use std::fs::Metadata;
use std::io;
use std::mem::ManuallyDrop;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use v4l::buffer::{self, Type};
use v4l::capability::Flags;
use v4l::device::{Device, Handle};
use v4l::format::FourCC;
use v4l::fraction::Fraction;
use v4l::frameinterval::FrameIntervalEnum;
use v4l::framesize::FrameSizeEnum;
use v4l::io::mmap::Stream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::v4l_sys::{
    v4l2_capability, v4l2_field_V4L2_FIELD_NONE, v4l2_format, v4l2_format__bindgen_ty_1, v4l2_pix_format,
    v4l2_pix_format__bindgen_ty_1,
};
use v4l::v4l2::{self, vidioc};
use v4l::video::Capture;
use v4l::video::capture::Parameters;

use super::raw::{
    Kind, Layout, Offer, Planes, Said, best_interval, by_preference, interval_within, nearest_size,
};
use super::source::cameras;

/// Frames for which a camera has memory: one that it fills, one that is looked at, one between. More would be older when
/// they are looked at.
const BUFFERS: u32 = 3;

/// A camera that gives no frame for so long gives none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The number of the kernel's for Video4Linux.
const MAJOR: u64 = 81;

/// Of all systems that Linux runs on: there is something to read.
const POLLIN: i16 = 1;

/// Errors by their numbers, which are those of all systems that Linux runs on.
const NO_PERMISSION: [i32; 2] = [1, 13]; // EPERM, EACCES
const BUSY: i32 = 16;
const GONE: [i32; 3] = [2, 6, 19]; // ENOENT, ENXIO, ENODEV
const INVALID: i32 = 22;
const NO_SPACE: i32 = 28;

/// A camera that sends frames.
pub struct Camera {
    // The crate panics at an error in cleaning up, as where a camera is pulled out meanwhile. The program ends soon after this
    // anyway, and the kernel cleans up.
    stream: ManuallyDrop<Stream<'static>>,
    handle: Arc<Handle>,
    layout: Layout,
    planes: Planes,
}

/// Why a camera is not read.
pub enum Refusal {
    /// Nobody could read it.
    Final(anyhow::Error),
    /// ffmpeg may be able to, which knows more kinds of frames.
    Here(anyhow::Error),
}

impl Refusal {
    fn of(error: io::Error, what: &str) -> Self {
        match advice(&error) {
            Some(words) => Self::Final(anyhow!(words)),
            None => Self::Here(anyhow::Error::new(error).context(what.to_owned())),
        }
    }
}

/// Whether it is a device of Video4Linux.
pub fn is_video(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && major(metadata.rdev()) == MAJOR
}

/// As glibc's `gnu_dev_major` has it.
fn major(device: u64) -> u64 {
    device >> 8 & 0xfff | device >> 32 & !0xfff
}

/// What to do about an error that is an error for everybody.
fn advice(error: &io::Error) -> Option<&'static str> {
    if error.kind() == io::ErrorKind::TimedOut {
        return Some(
            "the camera has sent no frame for 5 seconds. Pull it out and plug it in again, at another socket or without a \
             hub if that does not help",
        );
    }
    match error.raw_os_error()? {
        code if NO_PERMISSION.contains(&code) => Some(
            "there is no permission to use this camera. Join the group video (sudo usermod -aG video \"$USER\"), then log in \
             anew",
        ),
        BUSY => {
            Some("another program uses this camera. End it; fuser -v and the camera's path say which it is")
        }
        code if GONE.contains(&code) => Some("the camera is not there any more. Plug it in, and begin again"),
        _ => None,
    }
}

/// Whether its device gives pictures.
fn check(abilities: Flags) -> Result<(), Refusal> {
    if !abilities.contains(Flags::VIDEO_CAPTURE) {
        let why = if abilities.contains(Flags::META_CAPTURE) {
            "this device gives what a camera says about its pictures, and no pictures: most cameras have one of these beside \
             the one to use"
        } else if abilities.contains(Flags::VIDEO_CAPTURE_MPLANE) {
            "this device gives pictures in several pieces, which is not read. Have another program of it send frames of the \
             kind YUV4MPEG2, to mien watch --live -"
        } else {
            "this device gives no pictures"
        };
        return Err(Refusal::Final(anyhow!("{why}. {}", cameras())));
    }
    if !abilities.contains(Flags::STREAMING) {
        return Err(Refusal::Here(anyhow!("this device has no memory to share")));
    }
    Ok(())
}

impl Camera {
    /// Opens a camera, agrees with it on a kind of frames, and has the first of them sent.
    ///
    /// # Errors
    /// [`Refusal`], which says what to do.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let device = Device::with_path(path).map_err(|error| Refusal::of(error, "it can't be opened"))?;
        check(abilities(&device).map_err(|error| Refusal::of(error, "it does not say what it can do"))?)?;
        let mut offers = offers(&device);
        if offers.is_empty() {
            // Some drivers have no list; asked for a size, they say what is next to it.
            offers = Kind::ALL.map(|kind| Offer { kind, size: [640, 480], interval: None }).into();
        }
        let mut last =
            anyhow!("it has none of the kinds of frames that are read here (YUYV, NV12, YU12, MJPG)");
        for offer in by_preference(offers) {
            let layout = match agree(&device, &offer) {
                Ok(Some(layout)) => layout,
                Ok(None) => continue,
                Err(error) => return Err(Refusal::of(error, "it can't be told which frames to send")),
            };
            match begin(&device) {
                Ok(stream) => {
                    let stream = ManuallyDrop::new(stream);
                    return Ok(Self { stream, handle: device.handle(), layout, planes: Planes::default() });
                }
                // Of USB: too much for what else goes over the wire. JPEGs are smaller.
                Err(error) if error.raw_os_error() == Some(NO_SPACE) => {
                    last =
                        anyhow!("other devices at the same USB socket leave too little room for its frames");
                }
                Err(error) => return Err(Refusal::of(error, "it does not begin to send frames")),
            }
        }
        Err(Refusal::Here(last))
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [usize; 2] {
        self.layout.size
    }

    /// The newest frame's pixels, as RGBA into `rgba`, when there is one.
    ///
    /// # Errors
    /// Where the camera sends none that is whole.
    pub fn next(&mut self, rgba: &mut Vec<u8>) -> anyhow::Result<()> {
        let (begun, mut old) = (Instant::now(), 0);
        loop {
            let (frame, about) = match self.stream.next() {
                Ok(next) => next,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    // The crate would now give back memory that the camera has already. So it begins anew.
                    self.stream.stop().context("the camera can't begin anew")?;
                    continue;
                }
                Err(error) => match advice(&error) {
                    Some(words) => bail!(words),
                    None => return Err(error).context("the camera sends no more frames"),
                },
            };
            // While the last one was turned into pixels, others may have come; of those only the newest counts.
            if old < BUFFERS && self.handle.poll(POLLIN, 0).is_ok_and(|ready| ready > 0) {
                old += 1;
                continue;
            }
            let frame = frame.get(..about.bytesused as usize).unwrap_or(frame);
            let result = match about.flags.contains(buffer::Flags::ERROR) {
                true => Err(anyhow!("it calls them damaged")),
                false => self.layout.convert(frame, &mut self.planes, rgba),
            };
            match result {
                Ok(()) => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(error.context("the camera has sent no whole frame for 5 seconds"));
                }
                // One is lost now and then.
                Err(_) => old = 0,
            }
        }
    }
}

/// What a device can do.
fn abilities(device: &Device) -> io::Result<Flags> {
    let mut said = v4l2_capability {
        driver: [0; 16],
        card: [0; 32],
        bus_info: [0; 32],
        version: 0,
        capabilities: 0,
        device_caps: 0,
        reserved: [0; 3],
    };
    let pointer = (&raw mut said).cast::<c_void>();
    // SAFETY: The kernel fills what the pointer leads to, which is of the type that this question is for.
    unsafe { v4l2::ioctl(device.handle().fd(), vidioc::VIDIOC_QUERYCAP, pointer)? };
    let of_all = Flags::from(said.capabilities);
    // Of this device, where a camera has several.
    Ok(if of_all.contains(Flags::DEVICE_CAPS) { said.device_caps.into() } else { of_all })
}

/// What frames a camera has, as far as they are read: of each size the best interval.
fn offers(device: &Device) -> Vec<Offer> {
    let mut offers = Vec::new();
    for kind in Kind::ALL {
        let code = FourCC::new(&kind.code());
        for it in device.enum_framesizes(code).unwrap_or_default() {
            let size = match it.size {
                FrameSizeEnum::Discrete(size) => [size.width, size.height],
                FrameSizeEnum::Stepwise(size) => [
                    nearest_size(0, size.min_width, size.max_width, size.step_width),
                    nearest_size(1, size.min_height, size.max_height, size.step_height),
                ],
            };
            let pair = |it: Fraction| [it.numerator, it.denominator];
            let intervals = device.enum_frameintervals(code, size[0], size[1]).unwrap_or_default();
            let intervals = intervals.into_iter().filter_map(|it| match it.interval {
                FrameIntervalEnum::Discrete(interval) => Some(pair(interval)),
                FrameIntervalEnum::Stepwise(range) => interval_within(pair(range.min), pair(range.max)),
            });
            offers.push(Offer { kind, size, interval: best_interval(intervals) });
        }
    }
    offers
}

/// Has a camera send such frames, or as near as it can; none where it would send another kind.
fn agree(device: &Device, offer: &Offer) -> io::Result<Option<Layout>> {
    let [width, height] = offer.size;
    let code = u32::from_le_bytes(offer.kind.code());
    let pix = v4l2_pix_format {
        width,
        height,
        pixelformat: code,
        field: v4l2_field_V4L2_FIELD_NONE,
        bytesperline: 0,
        sizeimage: 0,
        colorspace: 0,
        priv_: 0,
        flags: 0,
        __bindgen_anon_1: v4l2_pix_format__bindgen_ty_1 { ycbcr_enc: 0 },
        quantization: 0,
        xfer_func: 0,
    };
    let mut format = v4l2_format {
        type_: Type::VideoCapture as u32,
        fmt: v4l2_format__bindgen_ty_1 { raw_data: [0; 200] },
    };
    format.fmt.pix = pix;
    let pointer = (&raw mut format).cast::<c_void>();
    // SAFETY: The kernel reads and fills what the pointer leads to, which is of the type that this question is for.
    match unsafe { v4l2::ioctl(device.handle().fd(), vidioc::VIDIOC_S_FMT, pointer) } {
        Err(error) if error.raw_os_error() == Some(INVALID) => return Ok(None),
        result => result?,
    }
    // SAFETY: All of the union was zero at first, and all of its bits are numbers to all of these.
    let (pix, encoding) = unsafe { (format.fmt.pix, format.fmt.pix.__bindgen_anon_1.ycbcr_enc) };
    if pix.pixelformat != code || pix.width == 0 || pix.height == 0 {
        return Ok(None);
    }
    if let Some([numerator, denominator]) = offer.interval {
        // Cameras that know one pace alone refuse to be told it.
        let _ = device.set_params(&Parameters::new(Fraction::new(numerator, denominator)));
    }
    let said = Said { space: pix.colorspace, encoding, range: pix.quantization };
    Ok(Some(Layout {
        kind: offer.kind,
        size: [pix.width as usize, pix.height as usize],
        stride: pix.bytesperline as usize,
        colours: said.colours(offer.kind),
    }))
}

/// Has a camera begin, and waits for its first frame, which is left out: it tells whether others come.
fn begin(device: &Device) -> io::Result<Stream<'static>> {
    let mut stream = Stream::with_buffers(device, Type::VideoCapture, BUFFERS)?;
    stream.set_timeout(PATIENCE);
    stream.next()?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(refusal: Refusal) -> (bool, String) {
        match refusal {
            Refusal::Final(error) => (true, format!("{error:#}")),
            Refusal::Here(error) => (false, format!("{error:#}")),
        }
    }

    #[test]
    fn errors_say_what_to_do() {
        for (code, is_final, expected) in [
            (13, true, "group video"),
            (1, true, "group video"),
            (16, true, "another program"),
            (19, true, "Plug it in"),
            (6, true, "Plug it in"),
            (22, false, "(os error 22)"),
            (5, false, "(os error 5)"),
        ] {
            let (is, words) = words(Refusal::of(io::Error::from_raw_os_error(code), "it fails"));
            assert!(is == is_final && words.contains(expected), "{code}: {words}");
        }
        let (is_final, words) = words(Refusal::of(io::ErrorKind::TimedOut.into(), "it fails"));
        assert!(is_final && words.contains("5 seconds"), "{words}");
    }

    #[test]
    fn devices_without_pictures_are_told_apart() {
        let refusal = |abilities| check(abilities).err().map(words);
        assert_eq!(refusal(Flags::VIDEO_CAPTURE | Flags::STREAMING), None);
        for (abilities, is_final, expected) in [
            (Flags::META_CAPTURE | Flags::STREAMING, true, "beside the one to use"),
            (Flags::VIDEO_CAPTURE_MPLANE | Flags::STREAMING, true, "--live -"),
            (Flags::VIDEO_OUTPUT, true, "no pictures"),
            (Flags::VIDEO_CAPTURE | Flags::READ_WRITE, false, "no memory"),
        ] {
            let (is, words) = refusal(abilities).unwrap();
            assert!(is == is_final && words.contains(expected), "{abilities:?}: {words}");
        }
    }

    #[test]
    fn other_devices_are_no_cameras() {
        assert_eq!(major(0x5100), MAJOR);
        assert!(!is_video(&Path::new("/dev/null").metadata().unwrap()));
        assert!(!is_video(&Path::new("/dev").metadata().unwrap()));
        let refusal = |path| Camera::open(Path::new(path)).err().map(words).unwrap();
        // It opens, and knows none of the questions.
        let (is_final, words) = refusal("/dev/null");
        assert!(!is_final && words.contains("what it can do"), "{words}");
        let (is_final, words) = refusal("/dev/video-that-is-not-there");
        assert!(is_final && words.contains("not there"), "{words}");
    }
}
