//! An encoder of field blocks (RFC 7541) that chooses among all legal representations at random.

use std::collections::VecDeque;

use crate::support::rng::Rng;

/// Name and value.
pub(crate) type Field = (Vec<u8>, Vec<u8>);

/// Appendix A, one entry a line.
const STATIC: &str = "\
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate";

/// Length of each code of appendix B, as a letter: A is 5. The code is canonical, so the lengths are all of it.
const LENGTHS: &str = "ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBBBABCBAABCCCCCKGJIXPRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWVZ";

/// The code of each symbol, as bits.
fn codes() -> Vec<Vec<bool>> {
    let lengths: Vec<u32> = LENGTHS
        .bytes()
        .map(|letter| u32::from(letter - b'A') + 5)
        .collect();
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|symbol| (lengths[*symbol], *symbol));
    let mut codes = vec![Vec::new(); lengths.len()];
    let (mut code, mut length) = (0_u64, lengths[order[0]]);
    for symbol in order {
        code <<= lengths[symbol] - length;
        length = lengths[symbol];
        codes[symbol] = (0..length).rev().map(|bit| code >> bit & 1 == 1).collect();
        code += 1;
    }
    codes
}

/// The encoder of one direction.
#[derive(Debug)]
pub(crate) struct Encoder {
    codes: Vec<Vec<bool>>,
    fixed: Vec<Field>,
    dynamic: VecDeque<Field>,
    size: usize,
    max: usize,
    /// The size that the other side allows.
    allowed: usize,
    /// Updates of the size that the next block begins with.
    updates: Vec<usize>,
    /// Never refers to the dynamic table, as Java's client and nginx: every field is proven after any loss.
    pub(crate) literal_only: bool,
}

impl Encoder {
    pub(crate) fn new(literal_only: bool) -> Self {
        let fixed = STATIC.lines().map(|line| {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            (name.as_bytes().to_vec(), value.as_bytes().to_vec())
        });
        Self {
            codes: codes(),
            fixed: fixed.collect(),
            dynamic: VecDeque::new(),
            size: 0,
            max: 4_096,
            allowed: 4_096,
            updates: Vec::new(),
            literal_only,
        }
    }

    /// This side acknowledged SETTINGS_HEADER_TABLE_SIZE.
    pub(crate) fn allow(&mut self, size: usize) {
        self.allowed = size;
        // Of several changes between two blocks, only the smallest is to be signalled (section 4.2).
        self.updates.retain(|update| *update <= size);
        if size < self.max {
            self.set_max(size);
        }
    }

    fn set_max(&mut self, max: usize) {
        self.updates.push(max);
        self.max = max;
        self.evict(0);
    }

    fn evict(&mut self, room_for: usize) {
        while self.size + room_for > self.max
            && let Some((name, value)) = self.dynamic.pop_back()
        {
            self.size -= name.len() + value.len() + 32;
        }
    }

    /// Encodes one block.
    pub(crate) fn block(&mut self, fields: &[Field], rng: &mut Rng) -> Vec<u8> {
        if rng.chance(60) {
            let to = [0, 50, 200, 4_096, 60_000][rng.below(5)];
            self.set_max(to.min(self.allowed));
        }
        let mut out = Vec::new();
        for update in self.updates.drain(..) {
            integer(&mut out, 0x20, 5, update);
        }
        for field in fields {
            self.field(field, &mut out, rng);
        }
        out
    }

    fn field(&mut self, field: &Field, out: &mut Vec<u8>, rng: &mut Rng) {
        let (name, value) = field;
        let dynamic: &VecDeque<Field> = &self.dynamic;
        let dynamic = (!self.literal_only).then_some(dynamic);
        let all = self.fixed.iter().chain(dynamic.into_iter().flatten());
        let places: Vec<(usize, bool)> = all
            .enumerate()
            .filter(|(_, (other, _))| other == name)
            .map(|(place, (_, other))| (place + 1, other == value))
            .collect();
        let whole: Vec<usize> = places
            .iter()
            .filter(|(_, same)| *same)
            .map(|(place, _)| *place)
            .collect();
        if !whole.is_empty() && rng.chance(800) {
            return integer(out, 0x80, 7, whole[rng.below(whole.len())]);
        }
        let index = if !places.is_empty() && rng.chance(800) {
            places[rng.below(places.len())].0
        } else {
            0
        };
        let (first, prefix) = [(0x40, 6), (0x40, 6), (0x00, 4), (0x10, 4)][rng.below(4)];
        integer(out, first, prefix, index);
        if index == 0 {
            self.string(name, out, rng);
        }
        self.string(value, out, rng);
        if prefix == 6 {
            let size = name.len() + value.len() + 32;
            self.evict(size);
            if size <= self.max {
                self.dynamic.push_front(field.clone());
                self.size += size;
            }
        }
    }

    fn string(&self, text: &[u8], out: &mut Vec<u8>, rng: &mut Rng) {
        if rng.chance(500) {
            integer(out, 0, 7, text.len());
            out.extend_from_slice(text);
            return;
        }
        let bits: Vec<bool> = text
            .iter()
            .flat_map(|byte| self.codes[usize::from(*byte)].iter().copied())
            .collect();
        integer(out, 0x80, 7, bits.len().div_ceil(8));
        for byte in bits.chunks(8) {
            let padded = byte.iter().copied().chain(core::iter::repeat(true)).take(8);
            out.push(padded.fold(0, |byte, bit| byte << 1 | u8::from(bit)));
        }
    }
}

/// Section 5.1.
fn integer(out: &mut Vec<u8>, first: u8, prefix: u32, value: usize) {
    let most = (1_usize << prefix) - 1;
    let byte = |value: usize| u8::try_from(value).expect("below 256");
    if value < most {
        return out.push(first | byte(value));
    }
    out.push(first | byte(most));
    let mut rest = value - most;
    while rest >= 128 {
        out.push(byte(rest % 128 + 128));
        rest /= 128;
    }
    out.push(byte(rest));
}
