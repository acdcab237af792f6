//! Paths that the access log is spared: `access_log_exclude`.

use globset::{Glob, GlobSet, GlobSetBuilder};

/// Patterns of paths, as a shell has them; `*` also takes slashes.
#[derive(Debug, Clone)]
pub struct Exclude(GlobSet);

impl Exclude {
    /// Compiles patterns.
    ///
    /// # Errors
    /// The first that is none, and why.
    pub fn compile<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        for pattern in patterns {
            set.add(Glob::new(pattern).map_err(|error| error.to_string())?);
        }
        set.build().map(Self).map_err(|error| error.to_string())
    }

    /// Whether there are any patterns.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a path, as it was sent, is spared.
    #[must_use]
    pub fn takes(&self, path: &[u8]) -> bool {
        !self.0.is_empty() && self.0.is_match(String::from_utf8_lossy(path).as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_taken_whole_or_by_its_pattern() {
        let exclude = Exclude::compile(["/health", "/static/*", "*.png"].into_iter()).unwrap();
        for path in ["/health", "/static/a/b.css", "/x/y.png"] {
            assert!(exclude.takes(path.as_bytes()), "{path}");
        }
        for path in ["/healthy", "/health/", "/", "/static"] {
            assert!(!exclude.takes(path.as_bytes()), "{path}");
        }
        assert!(
            Exclude::compile(["/[a"].into_iter())
                .unwrap_err()
                .contains("/[a")
        );
    }
}
