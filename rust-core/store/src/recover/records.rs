//! Records on the pages of a damaged database. Whatever is on a page, reading it ends: no byte is trusted, and the work is limited by the
//! number of pages. The format is that of <https://www.sqlite.org/fileformat2.html>.

use std::cell::Cell;
use std::collections::HashSet;

use rusqlite::types::Value;

use super::pages::{PAGE_BYTES, Page, Pages, number_at};

/// The longest record that this program writes is a queued request with its state.
const RECORD_BYTES_MAX: usize = 32 << 20;
/// The most columns that a table has.
const COLUMNS_MAX: usize = 10;
/// How often a page may be read as the continuation of a record, on average. A sound database reads each once.
const OVERFLOW_READS: u64 = 4;
/// The pages of a tree.
const TABLE_LEAF: u8 = 13;
const TABLE_INTERIOR: u8 = 5;
const INDEX_LEAF: u8 = 10;
const INDEX_INTERIOR: u8 = 2;

/// A record on a page.
pub(super) struct Record {
    /// Whether it is on a page of an index, which includes tables without row numbers.
    pub(super) in_index: bool,
    /// The row's number; 0 in an index.
    pub(super) row: i64,
    /// A letter for each column: n for NULL, i for a number, t for a text, b for bytes.
    pub(super) shape: String,
    pub(super) values: Vec<Value>,
}

/// Reads records.
pub(super) struct Reader {
    pages: Pages,
    overflow_left: Cell<u64>,
}

impl Reader {
    pub(super) fn new(pages: Pages) -> Reader {
        let overflow_left = Cell::new((u64::from(pages.count()) + 1) * OVERFLOW_READS);
        Reader { pages, overflow_left }
    }

    pub(super) fn pages(&self) -> &Pages {
        &self.pages
    }

    /// The records of one page whose shape is wanted. A page that is not one of records has none.
    pub(super) fn records(&self, number: u32, is_wanted: impl Fn(bool, &str) -> bool) -> Vec<Record> {
        let page = self.pages.read(number);
        let kind = page[header_at(number)];
        let in_index = kind != TABLE_LEAF;
        let (mut records, mut room) = (Vec::new(), PAGE_BYTES);
        for cell in cells(&page, number) {
            let Some((size, row, at)) = cell_header(&page, kind, cell) else {
                continue;
            };
            let local = local_bytes(size, in_index);
            let Some(payload) = page.get(at..at + local) else {
                continue;
            };
            let Some((shape, header_bytes, types)) = shape_of(payload, size) else {
                continue;
            };
            if !is_wanted(in_index, &shape) {
                continue;
            }
            // Cells that overlap cannot all be records.
            let Some(left) = room.checked_sub(local) else {
                break;
            };
            room = left;
            let payload = match local < size {
                true => self.continued(payload, size, number_at(&page, at + local)),
                false => Some(payload.to_vec()),
            };
            let Some(values) = payload.and_then(|payload| values(&payload[header_bytes..], &types)) else {
                continue;
            };
            records.push(Record {
                in_index,
                row,
                shape,
                values,
            });
        }
        records
    }

    /// The pages of a tree, as far as it can be followed.
    pub(super) fn tree(&self, root: u32) -> HashSet<u32> {
        let (mut seen, mut next) = (HashSet::new(), vec![root]);
        while let Some(number) = next.pop() {
            if number == 0 || number > self.pages.count() || !seen.insert(number) {
                continue;
            }
            let page = self.pages.read(number);
            let at = header_at(number);
            if matches!(page[at], TABLE_INTERIOR | INDEX_INTERIOR) {
                next.push(number_at(&page, at + 8));
                next.extend(cells(&page, number).map(|cell| number_at(&page, cell)));
            }
        }
        seen
    }

    /// A record that goes on on other pages.
    fn continued(&self, payload: &[u8], size: usize, mut next: u32) -> Option<Vec<u8>> {
        let mut bytes = payload.to_vec();
        while bytes.len() < size {
            let left = self.overflow_left.get();
            if next == 0 || next > self.pages.count() || left == 0 {
                return None;
            }
            self.overflow_left.set(left - 1);
            let page = self.pages.read(next);
            let part = (size - bytes.len()).min(PAGE_BYTES - 4);
            bytes.extend_from_slice(&page[4..4 + part]);
            next = number_at(&page, 0);
        }
        Some(bytes)
    }
}

/// The first page begins with the header of the database.
fn header_at(number: u32) -> usize {
    if number == 1 { 100 } else { 0 }
}

/// Where the cells of a page begin.
fn cells(page: &Page, number: u32) -> impl Iterator<Item = usize> {
    let at = header_at(number);
    let header_bytes = match page[at] {
        TABLE_LEAF | INDEX_LEAF => 8,
        TABLE_INTERIOR | INDEX_INTERIOR => 12,
        _ => 0,
    };
    let count = match header_bytes {
        0 => 0,
        _ => short_at(page, at + 3),
    };
    let first = at + header_bytes;
    let page = *page;
    (0..count)
        .map(move |index| first + 2 * index)
        .take_while(|at| at + 2 <= PAGE_BYTES)
        .map(move |at| short_at(&page, at))
        .filter(move |cell| *cell >= first)
}

fn short_at(page: &Page, at: usize) -> usize {
    usize::from(u16::from_be_bytes([page[at], page[at + 1]]))
}

/// The size of a record, its row, and where it begins.
fn cell_header(page: &Page, kind: u8, cell: usize) -> Option<(usize, i64, usize)> {
    let begin = match kind {
        TABLE_LEAF | INDEX_LEAF => cell,
        INDEX_INTERIOR => cell + 4,
        _ => return None,
    };
    let (size, at) = varint(page, begin)?;
    let (row, at) = match kind {
        TABLE_LEAF => varint(page, at)?,
        _ => (0, at),
    };
    let size = usize::try_from(size).ok().filter(|size| *size <= RECORD_BYTES_MAX)?;
    Some((size, row, at))
}

/// How many bytes of a record are on the page of its cell.
fn local_bytes(size: usize, in_index: bool) -> usize {
    let most = match in_index {
        true => (PAGE_BYTES - 12) * 64 / 255 - 23,
        false => PAGE_BYTES - 35,
    };
    if size <= most {
        return size;
    }
    let least = (PAGE_BYTES - 12) * 32 / 255 - 23;
    let fits = least + (size - least) % (PAGE_BYTES - 4);
    if fits <= most { fits } else { least }
}

/// The shape of a record, the size of its header, and the types of its columns. None unless they make up exactly its size.
fn shape_of(payload: &[u8], size: usize) -> Option<(String, usize, Vec<i64>)> {
    let (header_bytes, mut at) = varint(payload, 0)?;
    let header_bytes = usize::try_from(header_bytes).ok()?;
    let header = payload.get(..header_bytes)?;
    let (mut shape, mut types, mut bytes) = (String::new(), Vec::new(), header_bytes);
    while at < header_bytes && types.len() < COLUMNS_MAX {
        let (column, next) = varint(header, at)?;
        at = next;
        bytes = bytes.checked_add(bytes_of(column)?)?;
        shape.push(match column {
            0 => 'n',
            1..=9 => 'i',
            _ if column % 2 == 0 => 'b',
            _ => 't',
        });
        types.push(column);
    }
    (at == header_bytes && bytes == size).then_some((shape, header_bytes, types))
}

/// The size of a column by its type. This program stores no fractions.
fn bytes_of(column: i64) -> Option<usize> {
    match column {
        0 | 8 | 9 => Some(0),
        1..=4 => usize::try_from(column).ok(),
        5 => Some(6),
        6 => Some(8),
        12.. => usize::try_from((column - 12) / 2).ok(),
        _ => None,
    }
}

fn values(mut bytes: &[u8], types: &[i64]) -> Option<Vec<Value>> {
    let mut values = Vec::with_capacity(types.len());
    for column in types {
        let (value, rest) = bytes.split_at_checked(bytes_of(*column)?)?;
        bytes = rest;
        values.push(match column {
            0 => Value::Null,
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            1..=6 => Value::Integer(integer(value)),
            _ if column % 2 == 0 => Value::Blob(value.to_vec()),
            _ => Value::Text(String::from_utf8(value.to_vec()).ok()?),
        });
    }
    Some(values)
}

/// A number of up to 8 bytes with a sign, the highest byte first.
fn integer(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| *first >= 128);
    let start = if negative { -1 } else { 0 };
    bytes.iter().fold(start, |number, byte| number << 8 | i64::from(*byte))
}

/// A number of 1 to 9 bytes, and where the next one begins.
fn varint(bytes: &[u8], at: usize) -> Option<(i64, usize)> {
    let mut number = 0;
    for place in 0..9 {
        let byte = *bytes.get(at + place)?;
        if place == 8 {
            return Some((number << 8 | i64::from(byte), at + 9));
        }
        number = number << 7 | i64::from(byte & 127);
        if byte < 128 {
            return Some((number, at + place + 1));
        }
    }
    None
}
