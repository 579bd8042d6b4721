//! Looking into sets.

use std::cmp::Ordering;

use super::{Element, Set};

impl Set {
    /// How many bytes a key has.
    pub(super) fn key_len(&self) -> usize {
        match self.fields.split_last() {
            // Each field but the last fills its words.
            Some((last, before)) => {
                before.iter().map(|field| usize::from(*field).next_multiple_of(4)).sum::<usize>()
                    + usize::from(*last)
            }
            None => 0,
        }
    }

    /// Whether an element has more than one key.
    pub(super) fn has_ranges(&self) -> bool {
        self.elements.iter().any(|element| element.from != element.to)
    }

    /// Whether its elements can be searched as values in rising order: not where several fields have ranges.
    pub(super) fn is_ordered(&self) -> bool {
        self.fields.len() <= 1 || !self.has_ranges()
    }

    /// Whether an element holds a key, field by field.
    fn holds(&self, element: &Element, key: &[u8]) -> bool {
        let mut start = 0;
        self.fields.iter().all(|field| {
            let of = |bytes: &[u8]| -> Option<(usize, usize)> {
                let end = start + usize::from(*field);
                (end <= bytes.len()).then_some((start, end))
            };
            let inside = match (of(key), of(&element.from.0), of(&element.to.0)) {
                (Some((from, to)), Some(_), Some(_)) => {
                    element.from.0[from..to] <= key[from..to] && key[from..to] <= element.to.0[from..to]
                }
                _ => false,
            };
            start += usize::from(*field).next_multiple_of(4);
            inside
        })
    }

    /// The element that holds a key. `order`: the places of the elements by their lowest key, where
    /// [`Set::is_ordered`].
    pub(super) fn find(&self, order: &[u32], key: &[u8]) -> Option<usize> {
        if !self.is_ordered() {
            return self.elements.iter().position(|element| self.holds(element, key));
        }
        let after = order.partition_point(|at| {
            self.elements[*at as usize].from.0.as_slice().cmp(key) != Ordering::Greater
        });
        let at = *order.get(after.checked_sub(1)?)? as usize;
        (key <= self.elements[at].to.0.as_slice()).then_some(at)
    }
}
