//! The steps of rules.

use arpflux_core::filter::{Bytes, Comparison, Expression, Header, Meta, Verdict};

use super::Batch;

/// Why an expression cannot be made again, if so.
pub(crate) fn not_made(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Unknown { name } => Some(format!("what `{name}` does is not in a snapshot")),
        Expression::LoadMeta { meta: Meta::Unknown | Meta::Absent | Meta::ConntrackState, .. }
        | Expression::SetMeta { meta: Meta::Unknown, .. } => {
            Some("what a rule asks for beside the frame is not in a snapshot".into())
        }
        Expression::Decide { verdict } | Expression::Mangle { verdict, .. } => match verdict {
            Verdict::Unknown => Some("what a rule decides is not in a snapshot".into()),
            Verdict::Redirect { .. } => Some("frames handed to other interfaces are not built".into()),
            _ => None,
        },
        _ => None,
    }
}

impl Batch {
    fn register(&mut self, kind: u16, register: u8) {
        // The first four words are the verdict's; those behind them are counted from 8.
        self.number(kind, if register < 4 { 0 } else { u32::from(register) + 4 });
    }

    fn value(&mut self, kind: u16, value: &Bytes) {
        self.nest(kind, |batch| batch.attribute(1, &value.0));
    }

    pub(super) fn expression(&mut self, expression: &Expression) {
        self.text(1, name(expression));
        self.nest(2, |batch| batch.data(expression));
    }

    fn data(&mut self, expression: &Expression) {
        match expression {
            Expression::Load { header, offset, len, register } => {
                self.register(1, *register);
                self.field(*header, *offset, *len);
            }
            Expression::Write { header, offset, len, register } => {
                self.register(5, *register);
                self.field(*header, *offset, *len);
            }
            Expression::LoadMeta { meta: what, register } => {
                self.register(1, *register);
                self.number(2, meta(*what));
            }
            Expression::SetMeta { meta: what, register } => {
                self.register(3, *register);
                self.number(2, meta(*what));
            }
            Expression::Compare { register, by, value } => {
                self.register(1, *register);
                self.number(2, comparison(*by));
                self.value(3, value);
            }
            Expression::Range { register, negated, from, to } => {
                self.register(1, *register);
                self.number(2, u32::from(*negated));
                self.value(3, from);
                self.value(4, to);
            }
            Expression::Mask { from, to, mask, xor } => {
                self.register(1, *from);
                self.register(2, *to);
                self.number(3, mask.0.len() as u32);
                self.value(4, mask);
                self.value(5, xor);
            }
            Expression::Lookup { set, register, negated, to } => {
                self.text(1, set);
                self.register(2, *register);
                to.iter().for_each(|to| self.register(3, *to));
                if *negated {
                    self.number(5, 1);
                }
            }
            Expression::Value { register, value } => {
                self.register(1, *register);
                self.value(2, value);
            }
            Expression::Decide { verdict } => {
                self.register(1, 0);
                self.nest(2, |batch| batch.verdict(verdict));
            }
            Expression::Mangle { flags, sender_mac, target_mac, sender, target, verdict } => {
                // `struct arpt_mangle`.
                let mut info = [0; 48];
                for (at, bytes) in [(0, sender_mac), (16, target_mac), (32, sender), (36, target)] {
                    for (to, from) in info[at..].iter_mut().zip(&bytes.0) {
                        *to = *from;
                    }
                }
                info[40] = *flags;
                let then: i32 = match verdict {
                    Verdict::Drop => 0,
                    Verdict::Accept => 1,
                    // `XT_CONTINUE`.
                    _ => -1,
                };
                info[44..].copy_from_slice(&then.to_ne_bytes());
                self.text(1, "mangle");
                self.number(2, 0);
                self.attribute(3, &info);
            }
            Expression::Unknown { .. } => {}
        }
    }

    fn field(&mut self, header: Header, offset: u32, len: u32) {
        let base = match header {
            Header::Link => 0,
            Header::Network => 1,
            Header::Transport => 2,
            Header::None => 3,
        };
        self.number(2, base);
        self.number(3, offset);
        self.number(4, len);
    }
}

const fn name(expression: &Expression) -> &'static str {
    match expression {
        Expression::Load { .. } | Expression::Write { .. } => "payload",
        Expression::LoadMeta { .. } | Expression::SetMeta { .. } => "meta",
        Expression::Compare { .. } => "cmp",
        Expression::Range { .. } => "range",
        Expression::Mask { .. } => "bitwise",
        Expression::Lookup { .. } => "lookup",
        Expression::Value { .. } | Expression::Decide { .. } => "immediate",
        Expression::Mangle { .. } => "target",
        Expression::Unknown { .. } => "",
    }
}

const fn meta(meta: Meta) -> u32 {
    match meta {
        Meta::Protocol => 1,
        Meta::Mark => 3,
        Meta::Iif => 4,
        Meta::Oif => 5,
        Meta::Iifname => 6,
        Meta::Oifname => 7,
        Meta::Iiftype => 8,
        Meta::Oiftype => 9,
        Meta::Family => 15,
        Meta::L4protocol => 16,
        Meta::PacketType => 19,
        Meta::Iifgroup => 21,
        Meta::Oifgroup => 22,
        // Those are refused before.
        Meta::Unknown | Meta::Absent | Meta::ConntrackState => u32::MAX,
    }
}

const fn comparison(by: Comparison) -> u32 {
    match by {
        Comparison::Equal => 0,
        Comparison::NotEqual => 1,
        Comparison::Less => 2,
        Comparison::AtMost => 3,
        Comparison::Greater => 4,
        Comparison::AtLeast => 5,
    }
}
