//! Where frames begin and end.
//!
//! A frame is a tag byte, a length of four bytes (big endian, itself included) and a body. Only frames that somebody
//! looks at are waited for as a whole; all others, CopyData and DataRow above all, are walked over by their headers
//! and may pass in part.

/// CopyData: counted, and looked at only where a strike waits for one.
pub(super) const DATA: u8 = b'd';

/// The largest length in Postgres (`MaxAllocSize`).
const MAX_BYTES: usize = 0x3fff_ffff;
const HEADER_BYTES: usize = 5;

/// What the bytes at hand begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// So many bytes that nobody looks at, at least one; they may end inside a frame.
    Run(usize),
    /// A whole frame of so many bytes that somebody looks at.
    Frame(usize),
    /// More bytes are needed.
    More,
}

/// Walks over the frames of one direction.
///
/// A length that Postgres would refuse ends the walk: everything from there on is a run, and the server's answer says
/// what was wrong.
pub(super) struct Frames {
    looked_at: [bool; 256],
    /// How many more CopyData frames may be walked over; one after them is looked at.
    allowed: u64,
    /// CopyData frames that were walked over.
    data: u64,
    /// Bytes of a frame nobody looks at that have not arrived yet.
    rest: usize,
    lost: bool,
}

#[allow(clippy::manual_range_contains)] // `contains` would be two more calls per frame in a debug build
impl Frames {
    /// Looks at frames with these tags.
    pub(super) fn of(tags: &[u8]) -> Frames {
        let mut looked_at = [false; 256];
        tags.iter().for_each(|tag| looked_at[usize::from(*tag)] = true);
        Frames { looked_at, allowed: u64::MAX, data: 0, rest: 0, lost: false }
    }

    /// Looks at the CopyData frame that comes after so many more.
    pub(super) fn allow_data(&mut self, frames: u64) {
        self.allowed = frames;
    }

    /// Looks at every CopyData frame from now on.
    pub(super) fn look_at_data(&mut self) {
        self.looked_at[usize::from(DATA)] = true;
    }

    /// How many CopyData frames began in what was walked over since the last call.
    pub(super) fn take_data(&mut self) -> u64 {
        std::mem::take(&mut self.data)
    }

    /// What `bytes` begin with; they continue where the last answer but [`Next::More`] ended.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Next {
        match self.run(bytes) {
            0 => self.frame(bytes),
            run => Next::Run(run),
        }
    }

    /// The hot loop: a few instructions per frame also in a debug build.
    fn run(&mut self, bytes: &[u8]) -> usize {
        let mut end = self.rest;
        while !self.lost && end + HEADER_BYTES <= bytes.len() && !self.looked_at[bytes[end] as usize] {
            if bytes[end] == DATA {
                if self.allowed == 0 {
                    break;
                }
                self.allowed -= 1;
                self.data += 1;
            }
            let length = length_at(bytes, end);
            self.lost = length < 4 || length > MAX_BYTES;
            end += 1 + length;
        }
        let run = if self.lost || end > bytes.len() { bytes.len() } else { end };
        self.rest = end - end.min(run);
        run
    }

    fn frame(&mut self, bytes: &[u8]) -> Next {
        if bytes.len() < HEADER_BYTES {
            return Next::More;
        }
        let length = length_at(bytes, 0);
        self.lost = length < 4 || length > MAX_BYTES;
        match self.lost {
            true => Next::Run(bytes.len()),
            false if bytes.len() > length => Next::Frame(1 + length),
            false => Next::More,
        }
    }
}

/// The length that the header at `start` states.
fn length_at(bytes: &[u8], start: usize) -> usize {
    u32::from_be_bytes([bytes[start + 1], bytes[start + 2], bytes[start + 3], bytes[start + 4]]) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOOKED_AT: &[u8] = b"QC";

    fn frame(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], &length[..], body].concat()
    }

    /// Feeds `chunks` and returns what passed in all, and the frames that were looked at.
    fn walk<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut frames = Frames::of(LOOKED_AT);
        let (mut held, mut passed, mut seen) = (Vec::new(), Vec::new(), Vec::new());
        for chunk in chunks {
            held.extend_from_slice(chunk);
            loop {
                let length = match frames.next(&held) {
                    Next::More => break,
                    Next::Run(length) => length,
                    Next::Frame(length) => {
                        seen.push(held[..length].to_vec());
                        length
                    }
                };
                assert!(length > 0 && length <= held.len());
                passed.extend(held.drain(..length));
            }
        }
        passed.append(&mut held);
        (passed, seen)
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let tag = prop_oneof![Just(b'Q'), Just(b'C'), Just(b'd'), Just(b'D'), Just(b'Z')];
        (tag, proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(tag, body)| frame(tag, &body))
    }

    /// Cuts `bytes` after each of `cuts` bytes, going round.
    fn cut<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
        let mut chunks = Vec::new();
        for cut in cuts.iter().cycle() {
            let (chunk, rest) = bytes.split_at((*cut).min(bytes.len()));
            chunks.push(chunk);
            bytes = rest;
            if bytes.is_empty() {
                break;
            }
        }
        chunks
    }

    proptest! {
        #[test]
        fn the_same_frames_are_seen_under_any_split_and_no_byte_changes(
            frames in proptest::collection::vec(any_frame(), 0..30),
            cuts in proptest::collection::vec(1_usize..50, 1..20),
        ) {
            let stream = frames.concat();
            let (passed, seen) = walk(cut(&stream, &cuts).into_iter());
            let expected: Vec<_> = frames.into_iter().filter(|frame| LOOKED_AT.contains(&frame[0])).collect();
            prop_assert_eq!(passed, stream);
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn every_copy_row_is_counted_once_under_any_split_and_the_one_after_the_allowed_is_looked_at(
            frames in proptest::collection::vec(any_frame(), 0..30),
            cuts in proptest::collection::vec(1_usize..50, 1..20),
            allowed in 0_u64..10,
        ) {
            let stream = frames.concat();
            let mut walker = Frames::of(LOOKED_AT);
            walker.allow_data(allowed);
            let (mut held, mut counted, mut struck) = (Vec::new(), 0, 0);
            for chunk in cut(&stream, &cuts) {
                held.extend_from_slice(chunk);
                loop {
                    let next = walker.next(&held);
                    counted += walker.take_data();
                    let length = match next {
                        Next::More => break,
                        Next::Run(length) => length,
                        Next::Frame(length) => {
                            struck += u64::from(held[0] == DATA);
                            length
                        }
                    };
                    held.drain(..length);
                }
            }
            let rows = frames.iter().filter(|frame| frame[0] == DATA).count() as u64;
            prop_assert_eq!((counted, struck), (rows.min(allowed), rows.saturating_sub(allowed)));
        }

        #[test]
        fn any_bytes_pass_unchanged(
            stream in proptest::collection::vec(any::<u8>(), 0..400),
            cuts in proptest::collection::vec(1_usize..50, 1..20),
        ) {
            prop_assert_eq!(walk(cut(&stream, &cuts).into_iter()).0, stream);
        }
    }

    #[test]
    fn an_absurd_length_is_passed_on_at_once() {
        for length in [[0, 0, 0, 0], [0, 0, 0, 3], [0x40, 0, 0, 0], [0xff; 4]] {
            for tag in *b"Qd" {
                let bytes = [&[tag], &length[..], b"rest"].concat();
                assert_eq!(Frames::of(LOOKED_AT).next(&bytes), Next::Run(9), "{tag} {length:?}");
            }
        }
    }

    #[test]
    fn half_a_copy_row_passes_and_half_a_query_waits() {
        let row = frame(b'd', &[7; 100]);
        assert_eq!(Frames::of(LOOKED_AT).next(&row[..50]), Next::Run(50));
        let query = frame(b'Q', &[7; 100]);
        assert_eq!(Frames::of(LOOKED_AT).next(&query[..50]), Next::More);
    }
}
