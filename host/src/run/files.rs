//! Files that come out of items: from the node's output to where the run's caller keeps them.

use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use nodule_core::failure::{Certainty, Failure};
use nodule_core::file::{FILES, is_media_type, safe_name};
use nodule_core::json::{Json, Object};
use nodule_core::outcome::{ItemResult, Output, OutputFile};
use ring::digest::{Context, SHA256};
use tokio_util::io::StreamReader;

use super::outputs::output_item;
use crate::gate::file::{FileReader, InputFile};
use crate::gate::pipeline::{Lost, Pipeline};
use crate::gate::sha256::hex;
use crate::gate::upload::{Piece, Upload};
use crate::runtime::bindings::files_by_turns as contract;
use crate::runtime::instance::Transferred;

/// An item for a run: its parameters as a JSON object, and the files that go with it. A text alone is an item without files.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// A JSON object.
    pub parameters: String,
    /// Its files, each with a key of its own.
    pub files: Vec<InputFile>,
}

impl From<&str> for NewItem {
    fn from(parameters: &str) -> Self {
        parameters.to_owned().into()
    }
}

impl From<String> for NewItem {
    fn from(parameters: String) -> Self {
        Self {
            parameters,
            files: Vec::new(),
        }
    }
}

/// A file that comes out of an item, before it is kept.
#[derive(Debug)]
#[non_exhaustive]
pub struct NewFile<'a> {
    /// The item's index, from 0.
    pub item: usize,
    /// Counts the files of the item, from 0.
    pub number: usize,
    /// By what its output has it: `data`.
    pub key: &'a str,
    /// A name that is safe on every system, without a path.
    pub name: Option<&'a str>,
    /// `image/png`
    pub media_type: Option<&'a str>,
    /// Bytes, if the service said how many there are.
    pub size: Option<u64>,
}

/// Where the files go that come out of items. An item's result is given when all its files are kept.
#[async_trait::async_trait]
pub trait FileStore: fmt::Debug + Send + Sync {
    /// Reads a file to its end and keeps it. Its bytes arrive as they are read, so a slow reader slows the service. An error of the
    /// reader means that the file is not complete: nothing of it must stay, and that error is to be returned.
    ///
    /// Returns where the file is, for [`OutputFile::path`].
    ///
    /// # Errors
    ///
    /// The file cannot be kept. Its item fails with this text.
    async fn keep(&self, file: NewFile<'_>, content: FileReader) -> io::Result<String>;

    /// Removes a file that was kept: its item failed after all, or will be tried again.
    async fn discard(&self, path: String);
}

/// An item as a recording has it: with its files, those that are not too large with their content.
pub(super) async fn recorded(parameters: &str, files: &[InputFile], folder: Option<&Path>) -> String {
    let mut recorded = Object::new();
    for file in files {
        let mut about = Object::new();
        let texts = [("fileName", &file.name), ("mediaType", &file.media_type)];
        for (name, text) in texts {
            if let Some(text) = text {
                about.insert(name, text.as_str());
            }
        }
        let upload = Upload::new(vec![Piece::whole(file)], u64::MAX);
        match upload.collect().await {
            Ok(Some(bytes)) => drop(about.insert("base64", STANDARD.encode(&bytes))),
            Ok(None) => {
                if let Ok((sha256, _)) = upload.digest().await {
                    about.insert("recorded", sha256.as_str());
                    if let Some(folder) = folder {
                        // A replay says that it is not there.
                        let _ = upload.save(&folder.join(sha256)).await;
                    }
                }
            }
            // Its request says why.
            Err(_) => {}
        }
        recorded.insert(file.key.as_str(), Json::Object(about));
    }
    match Json::parse(parameters) {
        Ok(Json::Object(mut item)) => {
            item.insert(FILES, Json::Object(recorded));
            Json::Object(item).to_string()
        }
        _ => parameters.to_owned(),
    }
}

/// Reads what an item with files came to, and keeps its files.
pub(super) async fn read(
    pipeline: &Pipeline,
    store: Option<&Arc<dyn FileStore>>,
    all_bytes: &Arc<AtomicU64>,
    item: usize,
    transferred: Transferred,
) -> ItemResult {
    let Transferred { outputs, mut kept } = transferred;
    let limits = pipeline.limits();
    let count: usize = outputs.iter().map(|output| output.files.len()).sum();
    if count > limits.files {
        pipeline.note_limit("files");
        return Err(Failure::Limit(format!(
            "more than {} files of one item (`files`)",
            limits.files
        )));
    }
    let mut all = Vec::with_capacity(outputs.len());
    let mut stored = Stored {
        store: store.cloned(),
        paths: Vec::new(),
    };
    let mut number = 0;
    for contract::Output { json, files } in outputs {
        let json = output_item(json)?;
        let mut of_output: Vec<OutputFile> = Vec::with_capacity(files.len());
        for given in files {
            if of_output.iter().any(|file| file.key == given.key) || given.key.is_empty() {
                return Err(bad_file(
                    "two files of one output with the same key, or one without",
                ));
            }
            let (size, content) = match given.content {
                contract::Content::Bytes(bytes) => {
                    let size = u64::try_from(bytes.len()).ok();
                    (size, stream::once(async { Ok(Bytes::from(bytes)) }).boxed())
                }
                contract::Content::Kept(id) => match kept.remove(&id) {
                    Some(body) => (body.size(), body.stream().boxed()),
                    None => return Err(bad_file("a file of a response that was not kept")),
                },
            };
            let Some(store) = store else {
                return Err(Failure::Other {
                    kind: "file".into(),
                    message: "a file came out, and nothing says where files go".to_owned(),
                    detail: None,
                });
            };
            let name = given.file_name.as_deref().and_then(safe_name);
            let media_type = given.media_type.filter(|media_type| is_media_type(media_type));
            let new = NewFile {
                item,
                number,
                key: &given.key,
                name: name.as_deref(),
                media_type: media_type.as_deref(),
                size,
            };
            number += 1;
            let arriving = Arc::new(Arriving::new(limits.file_bytes, limits.run_file_bytes, all_bytes));
            let outcome = store.keep(new, arriving.reader(content)).await;
            let path = match (outcome, arriving.lost.get()) {
                (_, Some(lost)) => return Err(failure(pipeline, lost)),
                (Err(error), None) => {
                    let name = name.as_deref().unwrap_or(&given.key);
                    return Err(Failure::Other {
                        kind: "file".into(),
                        message: format!("the file `{name}` cannot be kept: {error}"),
                        detail: None,
                    });
                }
                (Ok(path), None) => path,
            };
            stored.paths.push(path.clone());
            let Some((size, sha256)) = arriving.finish() else {
                return Err(bad_file("a file that was not read to its end"));
            };
            let mut file = OutputFile::new(given.key, path, size, sha256);
            file.file_name = name;
            file.media_type = media_type;
            of_output.push(file);
        }
        all.push(Output::with_files(json, of_output));
    }
    stored.paths.clear();
    Ok(all)
}

fn bad_file(what: &str) -> Failure {
    Failure::Other {
        kind: "bad-output".into(),
        message: format!("the node returned {what}"),
        detail: None,
    }
}

fn failure(pipeline: &Pipeline, lost: &Lost) -> Failure {
    match lost {
        Lost::Limit(key, words) => {
            pipeline.note_limit(key);
            Failure::Limit(words.clone())
        }
        Lost::Broken(words) => Failure::Unavailable {
            certainty: Certainty::Unknown,
            message: words.clone(),
            answer: None,
            retry_after_ms: None,
        },
    }
}

/// Files of an item that has no result yet. They are removed if it gets none.
struct Stored {
    store: Option<Arc<dyn FileStore>>,
    paths: Vec<String>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        let paths = std::mem::take(&mut self.paths);
        if let (Some(store), false) = (self.store.clone(), paths.is_empty())
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                for path in paths {
                    store.discard(path).await;
                }
            });
        }
    }
}

/// A file while it arrives: its digest and its limits.
struct Arriving {
    limit: u64,
    run_limit: u64,
    /// Bytes of all files of the run.
    all_bytes: Arc<AtomicU64>,
    digest: Mutex<(Context, u64)>,
    is_whole: OnceLock<()>,
    lost: OnceLock<Lost>,
}

impl Arriving {
    fn new(limit: u64, run_limit: u64, all_bytes: &Arc<AtomicU64>) -> Self {
        Self {
            limit,
            run_limit,
            all_bytes: Arc::clone(all_bytes),
            digest: Mutex::new((Context::new(&SHA256), 0)),
            is_whole: OnceLock::new(),
            lost: OnceLock::new(),
        }
    }

    fn reader(self: &Arc<Self>, content: BoxStream<'static, Result<Bytes, Lost>>) -> FileReader {
        let (seen, ended) = (Arc::clone(self), Arc::clone(self));
        let end = stream::once(async move {
            let _ = ended.is_whole.set(());
            Ok(Bytes::new())
        });
        let content = content
            .and_then(move |bytes| {
                let seen = Arc::clone(&seen);
                async move { seen.take(bytes) }
            })
            .chain(end);
        let errors = Arc::clone(self);
        let content = content.map_err(move |lost| {
            let words = lost.to_string();
            let _ = errors.lost.set(lost);
            io::Error::other(words)
        });
        let content: Pin<Box<dyn futures_util::Stream<Item = io::Result<Bytes>> + Send>> = Box::pin(content);
        Box::pin(StreamReader::new(content))
    }

    fn take(&self, bytes: Bytes) -> Result<Bytes, Lost> {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        digest.1 = digest.1.saturating_add(count);
        digest.0.update(&bytes);
        let limit = |limit: u64, key: &'static str, what: &str| {
            Lost::Limit(key, format!("{what} of more than {limit} bytes (`{key}`)"))
        };
        if digest.1 > self.limit {
            return Err(limit(self.limit, "file-bytes", "a file"));
        }
        if self
            .all_bytes
            .fetch_add(count, Ordering::Relaxed)
            .saturating_add(count)
            > self.run_limit
        {
            return Err(limit(self.run_limit, "run-file-bytes", "files of one run"));
        }
        Ok(bytes)
    }

    /// Bytes, and SHA-256 in lower-case hexadecimal; `None` if it was not read to its end.
    fn finish(&self) -> Option<(u64, String)> {
        self.is_whole.get()?;
        let digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        Some((digest.1, hex(digest.0.clone().finish().as_ref())))
    }
}
