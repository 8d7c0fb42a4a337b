//! Credential files of the clouds' own tools: where a default chain looks, and looks again when they change.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;

use super::{KeySource, WatchedKeys};
use crate::provider::{BuildError, Order};
use crate::secret::Secret;

/// No honest file is longer.
const LONGEST: u64 = 1024 * 1024;

/// A source that `make` finds in the contents of these files (`None`: no such file), and finds anew when a content
/// changes. A file that only looks changed costs no lease that is good.
///
/// # Errors
/// A file cannot be read, or `make` says so.
pub fn from_files(
    order: &Order<'_>,
    files: Vec<PathBuf>,
    make: impl Fn(&[Option<Secret>]) -> Result<Arc<dyn KeySource>, BuildError> + Send + Sync + 'static,
) -> Result<Arc<dyn KeySource>, BuildError> {
    let (paths, last) = (files.clone(), Mutex::new(None::<(Vec<u8>, Arc<dyn KeySource>)>));
    let read_and_make = move || {
        let contents = paths.iter().map(|file| content(file)).collect::<Result<Vec<_>, _>>()?;
        let seen = digest_of(&contents);
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, source)) = last.as_ref().filter(|(before, _)| *before == seen) {
            return Ok(Arc::clone(source));
        }
        let source = make(&contents)?;
        *last = Some((seen, Arc::clone(&source)));
        Ok(source)
    };
    let clock = order.http.clock();
    Ok(Arc::new(WatchedKeys::new(order.account, clock, files, Box::new(read_and_make))?))
}

fn content(file: &Path) -> Result<Option<Secret>, BuildError> {
    read(file).map_err(|error| BuildError::Chain(format!("{}: {error}", file.display())))
}

fn read(file: &Path) -> io::Result<Option<Secret>> {
    match file.metadata() {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
        Ok(metadata) if metadata.len() > LONGEST => Err(io::Error::from(ErrorKind::FileTooLarge)),
        Ok(_) => std::fs::read_to_string(file).map(|text| Some(Secret::new(text))),
    }
}

/// Recognises contents without keeping them.
fn digest_of(contents: &[Option<Secret>]) -> Vec<u8> {
    let mut context = digest::Context::new(&digest::SHA256);
    for text in contents.iter().map(|content| content.as_ref().map_or("", Secret::expose)) {
        context.update(&text.len().to_be_bytes());
        context.update(text.as_bytes());
    }
    context.finish().as_ref().to_vec()
}
