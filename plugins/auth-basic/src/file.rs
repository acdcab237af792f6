//! The htpasswd file.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tricorn_hooks::{Error, Result};

/// The users of a file, with the hashes of their passwords.
#[derive(Debug, Clone)]
pub(crate) struct Users {
    hashes: Arc<HashMap<String, String>>,
    /// What unknown names are checked against, so that they take as long.
    nobody: Arc<str>,
}

impl Users {
    /// Reads a file: a line for each user, `name:hash`.
    ///
    /// # Errors
    /// A file that cannot be read, and the first line that is not what it must be.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)
            .map_err(|error| Error::new(format!("file: {}: {error}", path.display())))?;
        let mut hashes = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| {
                Error::new(format!(
                    "file: {}, line {}: {what}",
                    path.display(),
                    number + 1
                ))
            };
            let (name, hash) = line
                .split_once(':')
                .ok_or_else(|| wrong("it is not name:hash"))?;
            if !is_bcrypt(hash) {
                return Err(wrong(
                    "the hash is not one of bcrypt; write it with htpasswd -B",
                ));
            }
            hashes.insert(name.to_owned(), hash.to_owned());
        }
        let nobody = hashes.values().next().cloned().unwrap_or_default();
        Ok(Self {
            hashes: Arc::new(hashes),
            nobody: nobody.into(),
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.hashes.contains_key(name)
    }

    /// Whether this is the user's password. Takes as long for a name that is not there.
    pub(crate) fn verify(&self, name: &str, password: &[u8]) -> bool {
        let known = self.hashes.get(name);
        let hash = known.map_or(&*self.nobody, String::as_str);
        let is_right = bcrypt::verify(password, hash).unwrap_or(false);
        known.is_some() && is_right
    }
}

fn is_bcrypt(hash: &str) -> bool {
    let version = ["$2a$", "$2b$", "$2x$", "$2y$"];
    hash.len() == 60 && version.iter().any(|version| hash.starts_with(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_wrong_is_named() {
        let path = std::env::temp_dir().join(format!("tricorn-htpasswd-{}", std::process::id()));
        let refused = |text: &str| {
            fs::write(&path, text).unwrap();
            Users::read(&path).unwrap_err().to_string()
        };
        assert!(refused("# fine\n\nada\n").contains("line 3: it is not name:hash"));
        assert!(refused("ada:{SHA}abc\n").contains("line 1: the hash is not one of bcrypt"));
        fs::remove_file(&path).unwrap();
        assert!(
            Users::read(&path)
                .unwrap_err()
                .to_string()
                .starts_with("file: ")
        );
    }
}
