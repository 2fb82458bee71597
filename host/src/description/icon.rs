//! Icons that draw and do nothing else.
//!
//! An SVG document can run scripts, load other documents and show foreign HTML, and engines put icons straight into
//! their pages. So an icon is an allow-list of drawing elements, without events, styles or references to anything
//! outside itself. One that is more is refused rather than dropped: its author should know, and it may be an attack.

use roxmltree::{Document, Node, ParsingOptions};

use super::limits::MAX_ICON_BYTES;
use super::text::quoted;

const SVG: &str = "http://www.w3.org/2000/svg";
const XLINK: &str = "http://www.w3.org/1999/xlink";

/// What drawings are made of. Not among them: `script`, `style`, `foreignObject`, `image`, `a` and animations, which
/// can set a link.
const ELEMENTS: [&str; 22] = [
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
    "pattern",
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
        Err(error) => return Some(format!("expected an SVG document, found: {error}")),
    };
    if !document.root_element().has_tag_name((SVG, "svg")) {
        return Some(format!("expected an `svg` element of the namespace `{SVG}`"));
    }
    document.descendants().find_map(node_fault)
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
        let value = attribute.value().trim_start().to_ascii_lowercase();
        let fine = match (attribute.namespace(), name) {
            (None | Some(XLINK), "href") => value.starts_with('#'),
            (None, name) if name.to_ascii_lowercase().starts_with("on") => false,
            (None, "style") => false,
            // Colours and clips may refer to a definition in the same document.
            (None, _) => value.matches("url(").count() == value.matches("url(#").count(),
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
