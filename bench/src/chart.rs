//! Draws the live figures: items per second of the node and of plain Rust, side by side.

use std::ops::Range;
use std::path::Path;

use anyhow::{Result, anyhow, ensure};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

use crate::figure::{Digits, Figure, Unit, Yardstick};
use crate::live::CONCURRENCIES;
use crate::meter::float;
use crate::plain::Operation;
use crate::report::Report;
use crate::spread::Spread;

const SIZE: (u32, u32) = (960, 400);
const NODE: RGBColor = RGBColor(101, 79, 240);
const PLAIN: RGBColor = RGBColor(176, 176, 184);
const INK: RGBColor = RGBColor(40, 40, 48);
/// Room above the highest bar, for its ratio and the legend.
const HEADROOM: f64 = 1.3;
/// Where the two bars of a pair begin and end, as a share of the pair's width.
const BARS: [(f64, f64); 2] = [(0.12, 0.48), (0.52, 0.88)];

/// The horizontal axis: one equally wide column per concurrency.
struct Places;

impl Ranged for Places {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "a pixel")]
    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = value / self.range().end;
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        (0..CONCURRENCIES.len()).map(|place| float(place) + 0.5).collect()
    }

    fn range(&self) -> Range<f64> {
        0.0..float(CONCURRENCIES.len())
    }
}

impl ValueFormatter<f64> for Places {
    fn format_ext(&self, value: &f64) -> String {
        let place = self
            .key_points(1)
            .iter()
            .position(|centre| (centre - value).abs() < 0.5);
        place
            .and_then(|place| CONCURRENCIES.get(place))
            .map(ToString::to_string)
            .unwrap_or_default()
    }
}

/// A pair of bars.
struct Pair<'a> {
    node: &'a Spread,
    plain: &'a Yardstick,
}

/// Draws the chart.
pub fn draw(report: &Report, path: &Path) -> Result<()> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE).map_err(broken)?;
    let areas = root.split_evenly((1, Operation::ALL.len()));
    for (area, operation) in areas.iter().zip(Operation::ALL) {
        panel(report, area, operation)?;
    }
    root.present().map_err(broken)
}

fn panel(
    report: &Report,
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    operation: Operation,
) -> Result<()> {
    let pairs: Vec<Pair> = CONCURRENCIES
        .iter()
        .filter_map(|concurrency| pair(&report.figures, operation, *concurrency))
        .collect();
    ensure!(
        pairs.len() == CONCURRENCIES.len(),
        "expected live figures of {} at {CONCURRENCIES:?} under way",
        operation.name()
    );
    let highest = pairs
        .iter()
        .flat_map(|pair| [pair.node.max, pair.plain.value.max])
        .fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .caption(
            format!("{}: items a second", operation.name()),
            ("sans-serif", 18, &INK),
        )
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d(Places, 0.0..highest * HEADROOM)
        .map_err(broken)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(INK.mix(0.12))
        .light_line_style(TRANSPARENT)
        .axis_style(INK.mix(0.4))
        .label_style(("sans-serif", 13, &INK))
        .x_desc("items under way at once")
        .y_label_formatter(&|rate| Digits(*rate).to_string())
        .draw()
        .map_err(broken)?;
    for (side, (name, colour)) in [("the node, sandboxed", NODE), ("plain Rust", PLAIN)]
        .into_iter()
        .enumerate()
    {
        let bars = pairs.iter().enumerate().flat_map(|(index, pair)| {
            let spread = if side == 0 { pair.node } else { &pair.plain.value };
            bar(float(index), side, spread, colour)
        });
        chart
            .draw_series(bars)
            .map_err(broken)?
            .label(name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
    }
    chart
        .draw_series(pairs.iter().enumerate().map(|(index, pair)| {
            let at = (float(index) + BARS[0].0, pair.node.max + highest * 0.06);
            Text::new(
                format!("{} ×", Digits(pair.plain.ratio.median)),
                at,
                ("sans-serif", 13).into_font().color(&INK),
            )
        }))
        .map_err(broken)?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 13, &INK))
        .background_style(WHITE)
        .draw()
        .map_err(broken)
}

/// Draws a bar up to the median, and a line from the slowest run to the fastest.
fn bar<'a>(
    left: f64,
    side: usize,
    spread: &Spread,
    colour: RGBColor,
) -> [DynElement<'static, SVGBackend<'a>, (f64, f64)>; 2] {
    let (from, to) = BARS.get(side).copied().unwrap_or_default();
    let middle = left + f64::midpoint(from, to);
    [
        Rectangle::new([(left + from, 0.0), (left + to, spread.median)], colour.filled()).into_dyn(),
        PathElement::new(vec![(middle, spread.min), (middle, spread.max)], INK.mix(0.7)).into_dyn(),
    ]
}

fn pair(figures: &[Figure], operation: Operation, concurrency: usize) -> Option<Pair<'_>> {
    let figure = figures.iter().find(|figure| {
        figure.unit == Unit::PerSecond
            && figure
                .live
                .is_some_and(|live| live.operation == operation && live.concurrency == concurrency)
    })?;
    Some(Pair {
        node: &figure.value,
        plain: figure.yardstick.as_ref()?,
    })
}

/// Converts the drawing library's errors, which are not `Sync`.
fn broken(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("draw the chart: {error}")
}
