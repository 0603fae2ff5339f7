//! Rows of items, each stored once behind the others: a name that occurs in ten thousand sites costs one.

use std::hash::{BuildHasher, Hash};
use std::ops::Range;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// A set of rows, numbered from 0 in the order in which they were added.
#[derive(Debug)]
pub(super) struct Pool<T> {
    items: Vec<T>,
    /// Where each row ends; it begins where the one before ends.
    ends: Vec<u32>,
    numbers: HashTable<u32>,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { items: Vec::new(), ends: Vec::new(), numbers: HashTable::new() }
    }
}

impl<T: Copy + Eq + Hash> Pool<T> {
    /// The number of a row, which is added where it is new.
    pub(super) fn intern(&mut self, row: &[T]) -> u32 {
        let Self { items, ends, numbers } = self;
        let Ok(end) = u32::try_from(items.len() + row.len()) else {
            // There is no room for 4 GiB of names, whoever writes them.
            return if row.is_empty() { 0 } else { self.intern(&[]) };
        };
        let is_row = |&number: &u32| items[range(ends, number)] == *row;
        let hash_of = |&number: &u32| FxBuildHasher.hash_one(&items[range(ends, number)]);
        match numbers.entry(FxBuildHasher.hash_one(row), is_row, hash_of) {
            hashbrown::hash_table::Entry::Occupied(known) => *known.get(),
            hashbrown::hash_table::Entry::Vacant(place) => {
                let number = u32::try_from(ends.len()).unwrap_or(u32::MAX);
                place.insert(number);
                items.extend_from_slice(row);
                ends.push(end);
                number
            }
        }
    }

    /// Makes room for so many rows.
    pub(super) fn reserve(&mut self, rows: usize) {
        let Self { items, ends, numbers } = self;
        numbers.reserve(rows, |&number| FxBuildHasher.hash_one(&items[range(ends, number)]));
        ends.reserve(rows);
    }

    /// The number of a row, where it was added.
    pub(super) fn find(&self, row: &[T]) -> Option<u32> {
        self.numbers.find(FxBuildHasher.hash_one(row), |&number| self.get(number) == row).copied()
    }

    /// The row of a number.
    pub(super) fn get(&self, number: u32) -> &[T] {
        &self.items[range(&self.ends, number)]
    }
}

fn range(ends: &[u32], number: u32) -> Range<usize> {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    start as usize..ends[number] as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_rows_have_one_number() {
        let mut pool = Pool::default();
        let rows: [&[u8]; 5] = [b"", b"a", b"ab", b"b", b"a"];
        let numbers: Vec<u32> = rows.iter().map(|row| pool.intern(row)).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 1]);
        assert!(rows.iter().zip(numbers).all(|(row, number)| pool.get(number) == *row && pool.find(row) == Some(number)));
        assert_eq!(pool.find(b"abb"), None);
    }
}
