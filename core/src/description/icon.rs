//! Icons that draw and do nothing else.
//!
//! An SVG document can run scripts, load other documents and show foreign HTML, and engines put icons straight into
//! their pages. So an icon is an allow-list of drawing elements, without events, styles or references to anything
//! outside itself, and drawing it takes a bounded number of steps: what is used, painted or clipped with counts for each
//! reference to it. One that is more is refused rather than dropped: its author should know, and it may be an attack.

use std::collections::HashMap;

use roxmltree::{Document, Node, NodeId, ParsingOptions};

use super::bounds::{MAX_ICON_BYTES, MAX_ICON_DRAWN};
use super::text::quoted;

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// What drawings are made of. Not among them: `script`, `style`, `foreignObject`, `image`, `a` and animations, which
/// can set a link; nor `pattern`, `filter` and `marker`, which are drawn as often as their sizes say.
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

/// The functions that an attribute may call: colours, transformations, and references, which are looked at by themselves.
/// Not among them is what loads an image, blurs or computes.
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
    /// Elements, texts and comments; an icon has a few hundred.
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
        // The parser's words hold names of the document.
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

/// The ID that an `href` refers to, in the same document. IDs that could be spelt in two ways are none here.
fn reference(value: &str) -> Option<&str> {
    let id = value.trim().strip_prefix('#')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    (!id.is_empty() && id.bytes().all(plain)).then_some(id)
}

/// Whether an attribute that may be CSS calls nothing but [`FUNCTIONS`], and refers to definitions of the same document
/// only. A back-slash would spell a function in another way.
fn is_plain(value: &str) -> bool {
    !value.contains('\\') && calls(value).all(|call| call.is_some())
}

/// The calls in an attribute: of each its argument if it is a reference, else nothing; `None` for one that is not allowed.
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

/// What drawing each element comes to.
struct Drawing<'a, 'input> {
    by_id: HashMap<&'a str, Vec<Node<'a, 'input>>>,
    /// `None` while an element is being looked at: one that comes back to itself has no end.
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

    /// The elements that are drawn for this one, itself and what it refers to included; no fewer than any browser draws.
    /// `None` where it refers to itself, or references nest too deep.
    fn drawn(&mut self, node: Node<'a, 'input>, depth: usize) -> Option<usize> {
        /// Levels of elements and references; an icon has about ten.
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
        // What it is painted, clipped or masked with is used for each element inside.
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

    /// Of all elements with this ID, since which of them counts is the browser's choice.
    fn referred(&mut self, id: &str, depth: usize) -> Option<usize> {
        let nodes = self.by_id.get(id).cloned().unwrap_or_default();
        nodes.into_iter().try_fold(0_usize, |total, node| {
            Some(total.saturating_add(self.drawn(node, depth)?))
        })
    }
}
