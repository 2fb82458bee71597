//! Accepts icons that only draw.
//!
//! An SVG document can run scripts, load other documents and show foreign HTML, and engines put icons straight into
//! their pages. An icon may therefore contain only the drawing elements of an allow-list, without events, styles or
//! external references. Drawing it takes a bounded number of steps: an element that is used, painted or clipped with
//! counts once per reference. An icon that breaks these rules is refused rather than cleaned, because its author should
//! know, and because it may be an attack.

use std::collections::HashMap;

use roxmltree::{Document, Node, NodeId, ParsingOptions};

use super::bounds::{MAX_ICON_BYTES, MAX_ICON_DRAWN};
use super::text::quoted;

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// The elements of a drawing. Excluded are `script`, `style`, `foreignObject`, `image`, `a` and animations, which can
/// set a link; and `pattern`, `filter` and `marker`, because their sizes decide how often they are drawn.
const ELEMENTS: [&str; 21] = [
    "svg",
    "g",
    "defs",
    "symbol",
    "use",
    "title",
    "desc",
    "path",
    "rect",
    "circle",
    "ellipse",
    "line",
    "polyline",
    "polygon",
    "text",
    "tspan",
    "linearGradient",
    "radialGradient",
    "stop",
    "clipPath",
    "mask",
];

/// The functions that an attribute may call: colours, transformations, and references, which are checked separately.
/// Functions that load an image, blur or compute are excluded.
const FUNCTIONS: [&str; 11] = [
    "url",
    "rgb",
    "rgba",
    "hsl",
    "hsla",
    "matrix",
    "translate",
    "scale",
    "rotate",
    "skewx",
    "skewy",
];

/// What is wrong with an icon.
pub(super) fn fault(svg: &str) -> Option<String> {
    /// Elements, texts and comments; real icons have a few hundred.
    const NODES: u32 = 5_000;
    if svg.len() > MAX_ICON_BYTES {
        return Some(format!(
            "expected at most {MAX_ICON_BYTES} bytes, found {}",
            svg.len()
        ));
    }
    // Without document types there are no entities to expand.
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES,
        ..ParsingOptions::default()
    };
    let document = match Document::parse_with_options(svg, options) {
        Ok(document) => document,
        // The parser's message contains names from the document.
        Err(error) => {
            return Some(format!(
                "expected an SVG document, found: {}",
                quoted(&error.to_string())
            ));
        }
    };
    if !document.root_element().has_tag_name((SVG, "svg")) {
        return Some(format!("expected an `svg` element of the namespace `{SVG}`"));
    }
    let fault = document.descendants().find_map(node_fault);
    fault.or_else(
        || match Drawing::new(&document).drawn(document.root_element(), 0) {
            Some(drawn) if drawn <= MAX_ICON_DRAWN => None,
            Some(_) => Some(format!(
                "expected at most {MAX_ICON_DRAWN} elements to draw, with what is referred to, found more"
            )),
            None => {
                Some("expected no element that refers to itself, nor references that nest deep".to_owned())
            }
        },
    )
}

fn node_fault(node: Node<'_, '_>) -> Option<String> {
    if node.is_pi() {
        return Some("processing instructions are not allowed".to_owned());
    }
    if !node.is_element() {
        return None;
    }
    let tag = node.tag_name();
    if tag.namespace() != Some(SVG) || !ELEMENTS.contains(&tag.name()) {
        return Some(format!("the element {} is not allowed", quoted(tag.name())));
    }
    node.attributes().find_map(|attribute| {
        let name = attribute.name();
        let value = attribute.value();
        let fine = match (attribute.namespace(), name) {
            (None | Some(XLINK), "href") => reference(value).is_some(),
            (None, name) if name.to_ascii_lowercase().starts_with("on") => false,
            (None, "style") => false,
            (None, _) => is_plain(value),
            (Some(_), _) => matches!(name, "space" | "lang"),
        };
        (!fine).then(|| {
            format!(
                "the attribute {} of `{}` is not allowed so",
                quoted(name),
                tag.name()
            )
        })
    })
}

/// The ID in the same document that an `href` refers to. IDs that could be spelled in two ways do not count.
fn reference(value: &str) -> Option<&str> {
    let id = value.trim().strip_prefix('#')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    (!id.is_empty() && id.bytes().all(plain)).then_some(id)
}

/// Whether an attribute that may be CSS calls only [`FUNCTIONS`] and refers only to definitions in the same document. A
/// backslash could spell a function differently.
fn is_plain(value: &str) -> bool {
    !value.contains('\\') && calls(value).all(|call| call.is_some())
}

/// The calls in an attribute: for each one its argument if it is a reference, else nothing; `None` for a call that is
/// not allowed.
fn calls(value: &str) -> impl Iterator<Item = Option<&str>> {
    value.match_indices('(').map(|(at, _)| {
        let (before, after) = (value.get(..at)?, value.get(at + 1..)?);
        let before = before.trim_end();
        let name = before.rsplit(|character: char| !is_of_name(character)).next()?;
        let name = name.to_ascii_lowercase();
        if !FUNCTIONS.contains(&name.as_str()) {
            return None;
        }
        if name != "url" {
            return Some("");
        }
        reference(after.split(')').next()?)
    })
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_') || !character.is_ascii()
}

/// Counts the elements that drawing takes.
struct Drawing<'a, 'input> {
    by_id: HashMap<&'a str, Vec<Node<'a, 'input>>>,
    /// `None` while an element is being examined: an element that refers back to itself would never finish.
    drawn: HashMap<NodeId, Option<usize>>,
}

impl<'a, 'input> Drawing<'a, 'input> {
    fn new(document: &'a Document<'input>) -> Self {
        let mut by_id: HashMap<&str, Vec<Node<'_, '_>>> = HashMap::new();
        for node in document.descendants() {
            if let Some(id) = node.attribute("id") {
                by_id.entry(id).or_default().push(node);
            }
        }
        Self {
            by_id,
            drawn: HashMap::new(),
        }
    }

    /// Counts the elements that are drawn for this one, including itself and everything it refers to; never fewer than
    /// a browser draws. `None` if it refers to itself or references nest too deeply.
    fn drawn(&mut self, node: Node<'a, 'input>, depth: usize) -> Option<usize> {
        /// Levels of elements and references; real icons have about ten.
        const DEPTH: usize = 100;
        if let Some(known) = self.drawn.get(&node.id()) {
            return *known;
        }
        let depth = depth + 1;
        if depth > DEPTH {
            return None;
        }
        self.drawn.insert(node.id(), None);
        let mut itself: usize = 1;
        // Its paint, clip path and mask count once for each element inside.
        let mut each: usize = 1;
        for attribute in node.attributes() {
            let value = attribute.value();
            if attribute.name() == "href" {
                itself = itself.saturating_add(self.referred(reference(value).unwrap_or_default(), depth)?);
                continue;
            }
            for id in calls(value).flatten() {
                each = each.saturating_add(self.referred(id, depth)?);
            }
        }
        for child in node.children().filter(Node::is_element) {
            itself = itself.saturating_add(self.drawn(child, depth)?);
        }
        let drawn = itself.saturating_mul(each);
        self.drawn.insert(node.id(), Some(drawn));
        Some(drawn)
    }

    /// Counts all elements with this ID, since the browser decides which one applies.
    fn referred(&mut self, id: &str, depth: usize) -> Option<usize> {
        let nodes = self.by_id.get(id).cloned().unwrap_or_default();
        nodes.into_iter().try_fold(0_usize, |total, node| {
            Some(total.saturating_add(self.drawn(node, depth)?))
        })
    }
}
