//! Compiling a format: Python's `%(name)s` with flags, width and precision, or the name of a preset.

use super::atoms::Atom;
use super::layout::{Conversion, Layout};

/// The common log format.
const COMMON: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s"#;

/// The combined log format: with the referer and the user agent.
const COMBINED: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s""#;

/// The atoms whose entries the preset `json` shows.
const SHOWN_IN_JSON: [Atom; 7] = [
    Atom::Client,
    Atom::User,
    Atom::RequestLine,
    Atom::Path,
    Atom::Query,
    Atom::Referer,
    Atom::UserAgent,
];

/// A compiled format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    pub(super) program: Program,
}

/// What makes a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Program {
    /// Pieces, one after the other.
    Pieces(Vec<Piece>),
    /// A JSON object.
    Json,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Atom(Atom, Layout),
}

/// A format that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFormat {
    /// A `%` that begins nothing.
    #[error("the % at character {0} is not followed by (NAME)s")]
    Stray(usize),
    /// An atom that is not known.
    #[error("there is no atom %({0})s")]
    Unknown(String),
    /// A conversion that the value does not allow.
    #[error("%({name}){conversion} cannot be rendered: use s, or d, x, o or f for a number")]
    Conversion {
        /// The atom.
        name: String,
        /// Its conversion.
        conversion: char,
    },
}

impl Format {
    /// Compiles a format, or finds a preset: `common`, `combined`, `json`.
    ///
    /// # Errors
    /// A `%` that Python would not take either, or an atom that there is not.
    pub fn compile(text: &str) -> Result<Self, InvalidFormat> {
        let program = match text {
            "json" => Program::Json,
            "common" => Program::Pieces(pieces(COMMON)?),
            "combined" => Program::Pieces(pieces(COMBINED)?),
            text => Program::Pieces(pieces(text)?),
        };
        Ok(Self { program })
    }

    fn atoms(&self) -> impl Iterator<Item = &Atom> {
        let pieces = match &self.program {
            Program::Pieces(pieces) => pieces.as_slice(),
            Program::Json => &[],
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Atom(atom, _) => Some(atom),
            Piece::Text(_) => None,
        })
    }

    /// The environ keys the format asks for, in small letters.
    pub fn environ_names(&self) -> impl Iterator<Item = &str> {
        self.atoms().filter_map(|atom| match atom {
            Atom::Environ(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// The entries of `environ` that its other atoms show, each once: they show what the application
    /// has made of them.
    #[must_use]
    pub fn entries(&self) -> Vec<&'static str> {
        let mut entries: Vec<_> = match self.program {
            Program::Json => SHOWN_IN_JSON.iter().flat_map(Atom::entries).collect(),
            Program::Pieces(_) => self.atoms().flat_map(Atom::entries).collect(),
        };
        entries.sort_unstable();
        entries.dedup();
        entries.into_iter().copied().collect()
    }

    /// Whether it asks how long a request took.
    #[must_use]
    pub fn wants_duration(&self) -> bool {
        self.program == Program::Json || self.atoms().any(Atom::is_duration)
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, InvalidFormat> {
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
    Ok(pieces)
}

/// A line has one end, which is not the format's.
fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    let text = text.replace(['\n', '\r'], " ");
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(&text),
        _ => pieces.push(Piece::Text(text)),
    }
}

/// Reads what follows a `%`; also gives what follows it.
fn atom(text: &str, at: usize) -> Result<(Piece, &str), InvalidFormat> {
    let stray = InvalidFormat::Stray(at);
    let (name, rest) = text
        .strip_prefix('(')
        .and_then(|inner| inner.split_once(')'))
        .ok_or_else(|| stray.clone())?;
    let (mut layout, rest) = Layout::read(rest);
    let letter = rest.chars().next().ok_or(stray)?;
    let atom = Atom::find(name).ok_or_else(|| InvalidFormat::Unknown(name.to_owned()))?;
    let conversion = Conversion::of(letter)
        .filter(|conversion| *conversion == Conversion::Text || atom.is_number());
    layout.conversion = conversion.ok_or_else(|| InvalidFormat::Conversion {
        name: name.to_owned(),
        conversion: letter,
    })?;
    Ok((Piece::Atom(atom, layout), &rest[letter.len_utf8()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_atoms_alternate() {
        let format = Format::compile("100%% %(h)s-%({X-Id}i)5.2s").unwrap();
        let layout = Layout {
            width: 5,
            precision: Some(2),
            ..Layout::default()
        };
        assert_eq!(
            format.program,
            Program::Pieces(vec![
                Piece::Text("100% ".into()),
                Piece::Atom(Atom::Client, Layout::default()),
                Piece::Text("-".into()),
                Piece::Atom(Atom::RequestHeader("x-id".into()), layout),
            ])
        );
    }

    #[test]
    fn mistakes_are_named() {
        let message = |text: &str| Format::compile(text).unwrap_err().to_string();
        assert!(message("%(h)s %(x)s").contains("no atom %(x)s"));
        assert!(message("%({x}y)s").contains("no atom %({x}y)s"));
        assert!(message("ab %h").contains("character 3"));
        assert!(message("%(h").contains("character 0"));
        assert!(message("%(h)").contains("character 0"));
        assert!(message("%(h)d").contains("cannot be rendered"));
        assert!(message("%(D)q").contains("cannot be rendered"));
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

    #[test]
    fn presets_have_names() {
        assert_eq!(Format::compile("json").unwrap().program, Program::Json);
        for preset in ["common", "combined"] {
            assert!(!Format::compile(preset).unwrap().wants_duration());
        }
        assert!(Format::compile("%(D)s").unwrap().wants_duration());
    }
}
