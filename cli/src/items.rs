//! Sources of items: `--param` makes one; a file or standard input gives JSON lines, read as they are needed.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use futures_util::{Stream, StreamExt as _};
use nodule::json::{Json, Object};
use nodule::text::Utf16;
use nodule::{Failure, text};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use crate::exit::Failed;

/// An item as the host takes it: its text, or why it cannot be read.
pub type Item = Result<String, Failure>;
pub type Items = Pin<Box<dyn Stream<Item = Item> + Send>>;

/// Size of one read of standard input: lines have a few hundred bytes, so this is a few hundred lines.
const BUFFER: usize = 64 * 1024;

/// Longest line. A node could not fit a longer one into its memory (`memory-bytes`) beside its parsed form. Up to a few
/// hundred items are read ahead.
const LINE_BYTES: usize = 16 * 1024 * 1024;

/// Opens the items, with their number where it is known.
pub async fn open(items: Option<&Path>, params: &[String]) -> Result<(Items, Option<u64>), Failed> {
    match items {
        None => {
            let item = one(params)?;
            Ok((Box::pin(futures_util::stream::iter([Ok(item)])), Some(1)))
        }
        Some(path) if path == Path::new("-") => {
            let reader = BufReader::with_capacity(BUFFER, tokio::io::stdin());
            Ok((in_any_encoding(reader), None))
        }
        Some(path) => {
            let broken = |error: std::io::Error| Failed::usage(format!("{}: {error}", text::path(path)));
            let file = tokio::fs::File::open(path).await.map_err(broken)?;
            let is_file = file.metadata().await.map_err(broken)?.is_file();
            let total = if is_file {
                count(path.to_owned()).await
            } else {
                None
            };
            let reader = BufReader::with_capacity(BUFFER, file);
            Ok((in_any_encoding(reader), total))
        }
    }
}

/// Counts a file's items for the progress display. A million take some tens of milliseconds.
async fn count(path: PathBuf) -> Option<u64> {
    tokio::task::spawn_blocking(move || {
        use std::io::BufRead as _;
        let mut reader = std::io::BufReader::with_capacity(BUFFER, std::fs::File::open(path).ok()?);
        // UTF-16 files are not counted: a line feed is two bytes there, which a read may split, and such files are
        // rare.
        if Utf16::of(reader.fill_buf().ok()?).is_some() {
            return None;
        }
        let (mut lines, mut is_blank) = (0, true);
        loop {
            let piece = reader.fill_buf().ok()?;
            if piece.is_empty() {
                return Some(lines + u64::from(!is_blank));
            }
            for byte in piece {
                if *byte == b'\n' {
                    lines += u64::from(!is_blank);
                    is_blank = true;
                } else if !byte.is_ascii_whitespace() {
                    is_blank = false;
                }
            }
            let length = piece.len();
            reader.consume(length);
        }
    })
    .await
    .ok()
    .flatten()
}

/// Lines as items, in UTF-8 or UTF-16, which shells on Windows write.
fn in_any_encoding<R: AsyncBufRead + Send + Unpin + 'static>(mut reader: R) -> Items {
    let items = async move {
        let mut beginning = Vec::new();
        // The same error occurs again on the next read, which reports it.
        while beginning.len() < 2
            && let Ok(Some(byte)) = byte(&mut reader).await
        {
            beginning.push(byte);
        }
        let encoding = Utf16::of(&beginning);
        lines(std::io::Cursor::new(beginning).chain(reader), encoding)
    };
    // Reads nothing before the first item is polled.
    Box::pin(futures_util::stream::once(items).flatten())
}

/// The next byte; `None` at the end.
async fn byte(reader: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<u8>> {
    let byte = reader.fill_buf().await?.first().copied();
    reader.consume(usize::from(byte.is_some()));
    Ok(byte)
}

/// Lines as items; blank lines are skipped.
fn lines<R: AsyncBufRead + Send + Unpin + 'static>(reader: R, encoding: Option<Utf16>) -> Items {
    Box::pin(futures_util::stream::unfold(
        Some(reader),
        move |reader| async move {
            let mut reader = reader?;
            loop {
                let read = match encoding {
                    None => line(&mut reader).await,
                    Some(utf16) => wide_line(&mut reader, utf16).await,
                };
                let item = match read {
                    Ok(None) => return None,
                    Ok(Some(Line::Whole(line))) if line.trim_ascii().is_empty() => continue,
                    Ok(Some(Line::Whole(line))) => text(line),
                    Ok(Some(Line::TooLong)) => Err(Failure::InvalidInput(format!(
                        "the item: expected a line of at most {LINE_BYTES} bytes, found a longer one"
                    ))),
                    // The rest cannot be read: the run ends with this item as a failure.
                    Err(error) => {
                        let failure =
                            Failure::InvalidInput(format!("the items cannot be read any further: {error}"));
                        return Some((Err(failure), None));
                    }
                };
                return Some((item, Some(reader)));
            }
        },
    ))
}

/// A line, unless it is too long to keep.
enum Line {
    Whole(Vec<u8>),
    /// The line was read to its end and discarded.
    TooLong,
}

/// The next line; `None` at the end.
async fn line(reader: &mut (impl AsyncBufRead + Unpin)) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut is_too_long = false;
    loop {
        let piece = reader.fill_buf().await?;
        let end = memchr::memchr(b'\n', piece);
        let part = piece.get(..end.unwrap_or(piece.len())).unwrap_or_default();
        let is_over = piece.is_empty() || end.is_some();
        let is_end = piece.is_empty() && line.is_empty() && !is_too_long;
        if line.len() + part.len() > LINE_BYTES {
            is_too_long = true;
            line = Vec::new();
        }
        if !is_too_long {
            line.extend_from_slice(part);
        }
        let length = part.len() + usize::from(end.is_some());
        reader.consume(length);
        if is_end {
            return Ok(None);
        }
        if is_over {
            return Ok(Some(if is_too_long {
                Line::TooLong
            } else {
                Line::Whole(line)
            }));
        }
    }
}

/// [`line`] for UTF-16, converted to UTF-8. An incomplete code unit at the end is dropped.
async fn wide_line(reader: &mut (impl AsyncBufRead + Unpin), utf16: Utf16) -> std::io::Result<Option<Line>> {
    let mut line = Vec::new();
    let mut is_too_long = false;
    loop {
        let (Some(first), Some(second)) = (byte(reader).await?, byte(reader).await?) else {
            let is_end = line.is_empty() && !is_too_long;
            return Ok((!is_end).then(|| whole(&line, is_too_long, utf16)));
        };
        let unit = [first, second];
        if utf16.unit(unit) == u16::from(b'\n') {
            return Ok(Some(whole(&line, is_too_long, utf16)));
        }
        if line.len() + unit.len() > LINE_BYTES {
            is_too_long = true;
            line = Vec::new();
        }
        if !is_too_long {
            line.extend(unit);
        }
    }
}

fn whole(line: &[u8], is_too_long: bool, utf16: Utf16) -> Line {
    if is_too_long {
        Line::TooLong
    } else {
        Line::Whole(utf16.decoded(line).into_bytes())
    }
}

fn text(mut line: Vec<u8>) -> Item {
    line.truncate(line.trim_ascii_end().len());
    // Editors may put a byte order mark at the beginning of a file.
    if line.starts_with(b"\xef\xbb\xbf") {
        line.drain(..3);
    }
    String::from_utf8(line)
        .map_err(|_| Failure::InvalidInput("the item: expected UTF-8, found other bytes".to_owned()))
}

/// Foreign text of an argument, shortened for a message.
fn shown(argument: &str) -> String {
    const SHOWN_CHARS: usize = 200;
    text::shown(argument, SHOWN_CHARS)
}

/// Builds the single item that `--param` describes.
pub fn one(params: &[String]) -> Result<String, Failed> {
    let mut fields = Object::new();
    for param in params {
        let (name, value) = param
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .ok_or_else(|| {
                Failed::usage(format!(
                    "--param: expected `NAME=VALUE`, found `{}`",
                    shown(param)
                ))
                .hint("`NAME=VALUE` takes the value as text, `NAME:=VALUE` as JSON".to_owned())
            })?;
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => {
                let value = Json::parse(value).map_err(|error| {
                    Failed::usage(format!(
                        "--param: `{}`: expected JSON after `:=`, found `{}`: {error}",
                        shown(name),
                        shown(value)
                    ))
                    .hint(format!(
                        "for a text write `{}={}`",
                        shown(name),
                        shown(value)
                    ))
                })?;
                (name, value)
            }
            None => (name, Json::from(value)),
        };
        if fields.insert(name.to_owned(), value).is_some() {
            return Err(Failed::usage(format!(
                "--param: `{}` is given twice",
                shown(name)
            )));
        }
    }
    Ok(Json::Object(fields).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(bytes: &'static [u8]) -> Vec<Item> {
        in_any_encoding(bytes).collect().await
    }

    #[tokio::test]
    async fn lines_of_utf_16_are_items_too() {
        // U+0A0A and U+010A contain a line feed's byte.
        let text = "{\"a\":\"\u{a0a}\u{10a}🔑\"}\r\n\n{\"b\":2}";
        let expected = [
            Ok("{\"a\":\"\u{a0a}\u{10a}🔑\"}".to_owned()),
            Ok("{\"b\":2}".to_owned()),
        ];
        for marked in [text.to_owned(), format!("\u{feff}{text}")] {
            for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
                let bytes: Vec<u8> = marked.encode_utf16().flat_map(to_bytes).collect();
                assert_eq!(read(bytes.leak()).await, expected);
            }
        }
    }

    #[tokio::test]
    async fn what_is_shorter_than_a_mark_is_read() {
        assert_eq!(read(b"").await, []);
        assert_eq!(read(b"1").await, [Ok("1".to_owned())]);
        assert_eq!(read(b"\n").await, []);
    }

    #[tokio::test]
    async fn every_line_that_is_not_blank_is_an_item() {
        let items = read(b"\xef\xbb\xbf{\"a\":1}\r\n\n  \n{\"b\":2}").await;
        assert_eq!(items, [Ok("{\"a\":1}".to_owned()), Ok("{\"b\":2}".to_owned())]);
    }

    #[tokio::test]
    async fn a_line_that_is_no_utf8_fails_alone() {
        let items = read(b"{}\n\xff\n{}\n").await;
        assert_eq!(items.len(), 3);
        assert!(matches!(&items[1], Err(Failure::InvalidInput(message)) if message.contains("UTF-8")));
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_fails_alone_and_is_not_kept() {
        use tokio::io::AsyncReadExt as _;
        let long = |bytes: u64| tokio::io::repeat(b' ').take(bytes);
        let (first, last) = (&b"{}\n"[..], &b"\n{}"[..]);
        let most = LINE_BYTES as u64;
        let read = |bytes| {
            let items = first.chain(long(bytes)).chain(&b"1"[..]).chain(last);
            lines(BufReader::new(items), None).collect::<Vec<Item>>()
        };
        let items = read(most - 1).await;
        assert!(items.len() == 3 && items.iter().all(Result::is_ok));
        for more in [most, 8 * most] {
            let items = read(more).await;
            assert!(
                matches!(&items[..], [Ok(_), Err(Failure::InvalidInput(words)), Ok(_)] if words.contains("longer"))
            );
        }
        // The same at the end of the input.
        let items: Vec<Item> = lines(BufReader::new(long(most + 1)), None).collect().await;
        assert!(matches!(&items[..], [Err(Failure::InvalidInput(_))]));
    }

    #[test]
    fn parameters_are_texts_or_json() {
        let item = |params: &[&str]| one(&params.iter().map(|param| (*param).to_owned()).collect::<Vec<_>>());
        assert_eq!(
            item(&["a=1", "b:=1", "c=x=y", "d="]).unwrap(),
            r#"{"a":"1","b":1,"c":"x=y","d":""}"#
        );
        assert_eq!(
            item(&["n:=12345678901234567890.10"]).unwrap(),
            r#"{"n":12345678901234567890.10}"#
        );
        for wrong in [&["a"][..], &["=1"], &["a:=x"], &["a=1", "a=2"]] {
            assert!(item(wrong).is_err(), "{wrong:?}");
        }
    }

    #[tokio::test]
    async fn items_are_counted_as_they_are_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (text, expected) in [("", 0), ("\n\n", 0), ("{}\n{}\n", 2), ("{}\n \r\n{}", 2)] {
            std::fs::write(file.path(), text).unwrap();
            assert_eq!(count(file.path().to_owned()).await, Some(expected), "{text:?}");
        }
    }
}
