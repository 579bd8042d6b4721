//! Words of forms that have a packet, or an event, on each line: rows of fields, neighbour discovery, logs.

use arpflux_core::frame::Operation;

use super::value::{Address, trim};
use super::{Found, Line, Text, discovery, log};

impl Text {
    /// Takes a word of a row below a heading of fields; what stands around it may be empty cells.
    pub(super) fn cells(&mut self, word: &[u8]) -> bool {
        if self.begins_line {
            self.frame();
        }
        if matches!(word, b"who-has" | b"is-at") || self.columns.is_heading() {
            // Other lines follow, or a row in the line of the heading; the words of this one are gone.
            self.leave_table();
            return false;
        }
        let (cells, ends) = self.columns.cells(word, self.tabs);
        for (field, cell) in cells {
            self.field(field, trim(cell));
        }
        ends && self.packet()
    }

    /// No row of the heading follows any more, and one was broken.
    pub(super) fn leave_table(&mut self) {
        self.columns.forget();
        self.counts.broken += 1;
    }

    /// Takes a word of a row without a heading.
    pub(super) fn row(&mut self, word: &[u8], begins_line: bool) -> bool {
        if begins_line {
            self.counts.broken += u64::from(self.row.is_broken());
            self.row.begin_line();
        }
        let mut told = None;
        for cell in word.split(|byte| b",;|".contains(byte)) {
            told = told.or(self.row.word(trim(cell)));
        }
        if let Some((to, address, time)) = self.row.known() {
            self.frame();
            self.at(time);
            self.found = Found::Log { address, from: Address::default(), to, duplicate: false };
            return true;
        }
        let Some(told) = told else { return false };
        self.frame();
        if let Some(time) = told.time {
            self.at(time);
        }
        if let Some((source, destination)) = told.frame {
            (self.source, self.destination) = (source, destination);
        }
        let ((sender, sender_mac), (target, target_mac)) = (told.sender, told.target);
        let (operation, target) = (Operation::from_code(told.operation), Some(target));
        self.found = Found::Arp { operation, sender, target, sender_mac, target_mac };
        true
    }

    /// Takes a message of neighbour discovery.
    pub(super) fn discovered(&mut self, told: Option<discovery::Told>) -> bool {
        match told {
            Some(discovery::Told::Message { message, source, lacks }) => {
                self.counts.ndp += u64::from(lacks);
                self.found = Found::Ndp { message, source };
                true
            }
            Some(discovery::Told::Cut) => {
                self.counts.ndp += 1;
                false
            }
            None => false,
        }
    }

    /// Takes a word of a log.
    pub(super) fn logged(&mut self, word: &[u8], begins_line: bool) -> bool {
        if begins_line {
            self.line = Line::default();
        }
        let mailed = self.mail.word(word, begins_line);
        match mailed.or_else(|| self.line.word(word)) {
            Some(log::Told::Address { address, from, to, duplicate }) => {
                self.frame();
                self.found = Found::Log { address, from, to, duplicate };
                true
            }
            Some(log::Told::MacMoves) => {
                self.counts.mac_moves += 1;
                false
            }
            None => false,
        }
    }
}
