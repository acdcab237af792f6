//! `tricorn plugin new NAME`: a crate that builds, with a test that passes.

use std::fs;
use std::path::{Path, PathBuf};

/// Words of Rust's, and names of crates that come with it: cargo takes none of them.
const TAKEN: [&str; 53] = [
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "where",
];

/// Makes a crate called `name` in `folder`, against the SDK whose sources are in `sdk`; the files.
///
/// # Errors
/// A name that is none of a crate's; a folder that is there already; a file that cannot be written.
pub fn create(folder: &Path, name: &str, sdk: &Path) -> Result<Vec<PathBuf>, String> {
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_');
    if !is_name || TAKEN.contains(&name) {
        return Err(format!(
            "'{name}' cannot be a crate's name: give small letters, digits and '-', and no word of the language"
        ));
    }
    if !sdk.join("Cargo.toml").is_file() {
        return Err(format!("the SDK's sources are not in {}", sdk.display()));
    }
    let root = folder.join(name);
    if root.exists() {
        return Err(format!("{} is there already", root.display()));
    }
    let files = [
        ("Cargo.toml", manifest(name, sdk)),
        ("src/lib.rs", source(name)),
        (".gitignore", "target/\n".to_owned()),
    ];
    let mut written = Vec::new();
    for (place, text) in files {
        let path = root.join(place);
        let parent = path.parent().unwrap_or(&root);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        written.push(path);
    }
    Ok(written)
}

fn manifest(name: &str, sdk: &Path) -> String {
    let sdk = sdk.display();
    format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[dependencies]
serde = {{ version = "1", features = ["derive"] }}
tricorn-hooks = {{ path = "{sdk}" }}

[profile.release]
lto = true

# A crate of its own, wherever it stands.
[workspace]
"#
    )
}

fn source(name: &str) -> String {
    let words: Vec<_> = name
        .split(['-', '_'])
        .filter_map(|part| {
            let mut letters = part.chars();
            let first = letters.next()?.to_ascii_uppercase();
            Some(format!("{first}{}", letters.as_str()))
        })
        .collect();
    SOURCE
        .replace("PLUGIN", &words.concat())
        .replace("NAME", name)
        .replace("HEADER", &format!("X-{}", words.join("-")))
}

/// The plugin to begin with.
const SOURCE: &str = r#"//! Say here what the plugin does.

use tricorn_hooks::prelude::*;

/// What the operator writes under `options`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    /// The value of the header.
    #[serde(default = "yes")]
    value: String,
}

fn yes() -> String {
    "yes".to_owned()
}

struct PLUGIN {
    value: String,
}

impl Plugin for PLUGIN {
    type Options = Options;

    fn new(options: &Options, _worker: &Worker) -> Result<Self> {
        Ok(Self {
            value: options.value.clone(),
        })
    }
}

impl PLUGIN {
    /// Before the application, which sees the header.
    fn mark(&self, request: &mut Request<'_>) -> Result<()> {
        request.set_header("HEADER", &self.value)
    }
}

on!(PLUGIN, pre_request => mark);

export_plugin!(PLUGIN, id = "org.example.NAME", description = "Says what it does");

#[cfg(test)]
mod tests {
    use tricorn_hooks::testing::{FakeHost, FakeRequest};

    use super::*;

    #[test]
    fn a_request_is_marked() {
        let host = FakeHost::load(tricorn_plugin_entry_v1, "org.example.NAME", "{}").unwrap();
        let mut request = FakeRequest::new("GET", "/");
        assert_eq!(host.pre_request(&mut request), Ok(Flow::Continue));
        assert_eq!(request.sent("HEADER").as_deref(), Some("yes"));
    }
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_place_are_checked_before_anything_is_written() {
        let base = std::env::temp_dir().join(format!("tricorn-new-{}", std::process::id()));
        fs::create_dir_all(base.join("sdk")).unwrap();
        fs::write(base.join("sdk/Cargo.toml"), "").unwrap();
        let create = |name: &str| create(&base, name, &base.join("sdk"));
        for name in ["Bad Name", "fn", "self", "test", ""] {
            let refused = create(name).unwrap_err();
            assert!(refused.contains("cannot be a crate's name"), "{name}");
        }
        assert_eq!(create("my-plugin").unwrap().len(), 3);
        let text = fs::read_to_string(base.join("my-plugin/src/lib.rs")).unwrap();
        assert!(text.contains("struct MyPlugin {") && text.contains("org.example.my-plugin"));
        assert!(text.contains("X-My-Plugin"));
        assert!(
            create("my-plugin")
                .unwrap_err()
                .contains("is there already")
        );
        fs::remove_dir_all(&base).unwrap();
        assert!(create("other").unwrap_err().contains("SDK's sources"));
    }
}
