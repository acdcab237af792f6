//! Compiling a format: Python's `%(name)s` with flags, width and precision.

use super::atoms::Atom;

/// A compiled format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    pub(super) pieces: Vec<Piece>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Atom(Atom, Shape),
}

/// How a value is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    pub(super) left: bool,
    pub(super) zero: bool,
    pub(super) width: usize,
    pub(super) precision: Option<usize>,
}

/// A format that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFormat {
    /// A `%` that begins nothing.
    #[error("the % at character {0} is not followed by (NAME)s")]
    Stray(usize),
    /// A conversion other than `s`, or `d` for a number.
    #[error("%({name}){conversion} cannot be rendered: use s, or d for a number")]
    Conversion {
        /// The atom.
        name: String,
        /// Its conversion.
        conversion: char,
    },
}

/// The widest field a format may ask for.
const WIDEST: usize = 4096;

impl Format {
    /// Compiles a format.
    ///
    /// # Errors
    /// A `%` that Python would not take either.
    pub fn compile(text: &str) -> Result<Self, InvalidFormat> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(percent) = rest.find('%') {
            push_text(&mut pieces, &rest[..percent]);
            let at = text.len() - rest.len() + percent;
            let after = &rest[percent + 1..];
            rest = if let Some(escaped) = after.strip_prefix('%') {
                push_text(&mut pieces, "%");
                escaped
            } else {
                let (piece, after) = atom(after, at)?;
                pieces.push(piece);
                after
            };
        }
        push_text(&mut pieces, rest);
        Ok(Self { pieces })
    }

    /// Names that nothing is known by: they are logged as `-`, as gunicorn does.
    pub fn unknown_names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Atom(Atom::Unknown(name), _) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The environ keys the format asks for, in small letters.
    pub fn environ_names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Atom(Atom::Environ(name), _) => Some(name.as_str()),
            _ => None,
        })
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

/// Reads what follows a `%`; also gives what follows it.
fn atom(text: &str, at: usize) -> Result<(Piece, &str), InvalidFormat> {
    let stray = InvalidFormat::Stray(at);
    let (name, rest) = text
        .strip_prefix('(')
        .and_then(|inner| inner.split_once(')'))
        .ok_or_else(|| stray.clone())?;
    let (shape, rest) = shape(rest);
    let conversion = rest.chars().next().ok_or(stray)?;
    let atom = Atom::find(name).unwrap_or_else(|| Atom::Unknown(name.to_owned()));
    let takes = conversion == 's' || (matches!(conversion, 'd' | 'i') && atom.is_number());
    if !takes {
        return Err(InvalidFormat::Conversion {
            name: name.to_owned(),
            conversion,
        });
    }
    Ok((Piece::Atom(atom, shape), &rest[conversion.len_utf8()..]))
}

fn shape(text: &str) -> (Shape, &str) {
    let mut shape = Shape::default();
    let flags = text
        .find(|c| !matches!(c, '-' | '0' | '+' | ' ' | '#'))
        .unwrap_or(text.len());
    shape.left = text[..flags].contains('-');
    shape.zero = text[..flags].contains('0') && !shape.left;
    let (width, rest) = number(&text[flags..]);
    shape.width = width.unwrap_or(0).min(WIDEST);
    let Some(after_dot) = rest.strip_prefix('.') else {
        return (shape, rest);
    };
    let (precision, rest) = number(after_dot);
    shape.precision = Some(precision.unwrap_or(0));
    (shape, rest)
}

fn number(text: &str) -> (Option<usize>, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (text[..end].parse().ok(), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_atoms_alternate() {
        let format = Format::compile("100%% %(h)s-%({X-Id}i)5.2s").unwrap();
        let shape = Shape {
            width: 5,
            precision: Some(2),
            ..Shape::default()
        };
        assert_eq!(
            format.pieces,
            [
                Piece::Text("100% ".into()),
                Piece::Atom(Atom::Client, Shape::default()),
                Piece::Text("-".into()),
                Piece::Atom(Atom::RequestHeader("x-id".into()), shape),
            ]
        );
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| Format::compile(text).unwrap_err().to_string();
        let unknown = Format::compile("%(h)s %(x)s %({x}y)s").unwrap();
        assert_eq!(unknown.unknown_names().collect::<Vec<_>>(), ["x", "{x}y"]);
        assert!(message("ab %h").contains("character 3"));
        assert!(message("%(h").contains("character 0"));
        assert!(message("%(h)").contains("character 0"));
        assert!(message("%(h)d").contains("cannot be rendered"));
        assert!(Format::compile("%(D)d").is_ok());
    }

    #[test]
    fn environ_keys_are_listed() {
        let format = Format::compile("%({REMOTE_USER}e)s %({x}i)s %({b}e)s").unwrap();
        assert_eq!(
            format.environ_names().collect::<Vec<_>>(),
            ["remote_user", "b"]
        );
    }
}
