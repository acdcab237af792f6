//! How a value is laid out: the flags, width, precision and conversion of Python's `%`.

use std::fmt::Write;

use super::escape::cut;

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Conversion {
    /// `s`: as text.
    #[default]
    Text,
    /// `d`, `i`, `u`: a number.
    Decimal,
    /// `x`, and `X` for capitals.
    Hexadecimal { capitals: bool },
    /// `o`.
    Octal,
    /// `f`, `F`: with decimals.
    Fixed,
}

impl Conversion {
    pub(super) fn of(letter: char) -> Option<Self> {
        Some(match letter {
            's' => Self::Text,
            'd' | 'i' | 'u' => Self::Decimal,
            'x' => Self::Hexadecimal { capitals: false },
            'X' => Self::Hexadecimal { capitals: true },
            'o' => Self::Octal,
            'f' | 'F' => Self::Fixed,
            _ => return None,
        })
    }
}

/// How a value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Layout {
    pub(super) conversion: Conversion,
    pub(super) left: bool,
    pub(super) zero: bool,
    pub(super) alternate: bool,
    /// `+` or a space, in front of numbers.
    pub(super) sign: Option<char>,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

/// The widest field a format may ask for.
const WIDEST: usize = 4096;

impl Layout {
    /// Reads what follows the name; also gives what follows the layout, its conversion first.
    pub(super) fn read(text: &str) -> (Self, &str) {
        let end = text
            .find(|c| !matches!(c, '-' | '0' | '+' | ' ' | '#'))
            .unwrap_or(text.len());
        let (flags, rest) = text.split_at(end);
        let mut layout = Self {
            left: flags.contains('-'),
            zero: flags.contains('0') && !flags.contains('-'),
            alternate: flags.contains('#'),
            sign: ['+', ' '].into_iter().find(|&sign| flags.contains(sign)),
            ..Self::default()
        };
        let (width, rest) = number(rest);
        layout.width = width.unwrap_or(0).min(WIDEST);
        let Some(after_dot) = rest.strip_prefix('.') else {
            return (layout, without_length(rest));
        };
        let (precision, rest) = number(after_dot);
        layout.precision = Some(precision.unwrap_or(0).min(WIDEST));
        (layout, without_length(rest))
    }

    /// Appends a text, which is escaped already.
    pub(super) fn text(&self, text: &str, line: &mut String) {
        let shown = self.precision.map_or(text, |most| cut(text, most));
        self.padded(shown.chars().count(), line, |line| line.push_str(shown));
    }

    /// Appends a number.
    pub(super) fn number(&self, number: u64, line: &mut String) {
        let (prefix, digits) = match self.conversion {
            Conversion::Text => return self.text(&number.to_string(), line),
            Conversion::Decimal => ("", number.to_string()),
            Conversion::Octal => ("0o", format!("{number:o}")),
            Conversion::Hexadecimal { capitals: false } => ("0x", format!("{number:x}")),
            Conversion::Hexadecimal { capitals: true } => ("0X", format!("{number:X}")),
            Conversion::Fixed => (
                "",
                format!("{number}.{:0<1$}", "", self.precision.unwrap_or(6)),
            ),
        };
        let digits = digits.trim_end_matches('.');
        let mut front = self.sign.map(String::from).unwrap_or_default();
        if self.alternate {
            front.push_str(prefix);
        }
        let least = match self.conversion {
            Conversion::Fixed => 0,
            _ => self.precision.unwrap_or(0),
        };
        let room = self.width.saturating_sub(front.len());
        let least = if self.zero { least.max(room) } else { least };
        let number = format!("{front}{digits:0>least$}");
        self.padded(number.len(), line, |line| line.push_str(&number));
    }

    fn padded(&self, shown: usize, line: &mut String, push: impl FnOnce(&mut String)) {
        let padding = self.width.saturating_sub(shown);
        let (before, after) = if self.left {
            (0, padding)
        } else {
            (padding, 0)
        };
        // Writing to memory cannot fail.
        let _ = write!(line, "{:before$}", "");
        push(line);
        let _ = write!(line, "{:after$}", "");
    }
}

fn number(text: &str) -> (Option<usize>, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (text[..end].parse().ok(), &text[end..])
}

/// C's length modifiers mean nothing, to Python either.
fn without_length(text: &str) -> &str {
    text.strip_prefix(['h', 'l', 'L']).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(layout: &str, value: u64) -> String {
        let (mut read, rest) = Layout::read(layout);
        read.conversion = Conversion::of(rest.chars().next().unwrap()).unwrap();
        let mut line = String::new();
        read.number(value, &mut line);
        line
    }

    #[test]
    fn numbers_are_laid_out_as_python_does() {
        for (layout, value, expected) in [
            ("d", 7, "7"),
            ("5d", 7, "    7"),
            ("-5d", 7, "7    "),
            ("05d", 7, "00007"),
            ("05.3d", 7, "00007"),
            (".3d", 7, "007"),
            (".2d", 12345, "12345"),
            ("+d", 7, "+7"),
            (" d", 7, " 7"),
            ("-05d", 7, "7    "),
            ("+05d", 7, "+0007"),
            ("x", 255, "ff"),
            ("#x", 255, "0xff"),
            ("#X", 255, "0XFF"),
            ("#08x", 255, "0x0000ff"),
            ("#o", 15, "0o17"),
            ("08.2f", 7, "00007.00"),
            ("f", 7, "7.000000"),
            ("+.0f", 7, "+7"),
            ("ld", 3, "3"),
            ("u", 3, "3"),
            ("4s", 3, "   3"),
        ] {
            assert_eq!(laid_out(layout, value), expected, "%{layout}");
        }
    }
}
