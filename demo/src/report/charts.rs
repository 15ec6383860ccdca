//! Charts as SVG text, to stand inside a page: no fonts, no links, no scripts.
//!
//! Text and grid are drawn in two stand-in colours which `embed` turns into the page's own text
//! colour, so one drawing serves light and dark pages.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

pub const CROSS: RGBColor = RGBColor(0x2f, 0x6f, 0xed);
pub const ISOLATED: RGBColor = RGBColor(0xe0, 0x8a, 0x1e);
pub const REQUIREMENT: RGBColor = RGBColor(0x8b, 0x94, 0xa7);
pub const LIQUIDATED_CROSS: RGBColor = RGBColor(0xd9, 0x2d, 0x20);
pub const LIQUIDATED_ISOLATED: RGBColor = RGBColor(0xb4, 0x5f, 0x06);
const ZERO: RGBColor = LIQUIDATED_CROSS;
pub const POOL: RGBColor = RGBColor(0x0f, 0xa8, 0x8f);
/// SOL, BTC, ETH.
pub const ASSETS: [RGBColor; 3] = [
    RGBColor(0x0f, 0xa8, 0x8f),
    RGBColor(0xc8, 0x4b, 0x8f),
    RGBColor(0x7c, 0x6c, 0xf2),
];

const INK: RGBColor = RGBColor(1, 2, 3);
const GRID: RGBColor = RGBColor(4, 5, 6);
const FONT: &str = "sans-serif";
const FONT_SIZE: f64 = 12.0;
/// Points of a line after thinning.
const MAX_POINTS: usize = 360;

pub struct Line<'a> {
    pub values: &'a [f64],
    pub color: RGBColor,
    /// Filled down to zero, and drawn first.
    pub area: bool,
}

pub struct Mark {
    pub hour: f64,
    pub value: f64,
    pub color: RGBColor,
}

pub struct LineChart<'a> {
    /// Read out by screen readers.
    pub label: String,
    pub size: (u32, u32),
    pub hours: &'a [f64],
    pub lines: Vec<Line<'a>>,
    /// Liquidations.
    pub marks: Vec<Mark>,
    /// The scale includes zero and a line is drawn there.
    pub zero: bool,
    pub unit: fn(f64) -> String,
}

impl LineChart<'_> {
    pub fn render(&self) -> anyhow::Result<String> {
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, self.size).into_drawing_area();
            self.draw(&root)
                .map_err(|e| anyhow::anyhow!("drawing {}: {e}", self.label))?;
            root.present()
                .map_err(|e| anyhow::anyhow!("drawing {}: {e}", self.label))?;
        }
        Ok(embed(&svg, &self.label, self.size))
    }

    fn draw(
        &self,
        root: &DrawingArea<SVGBackend<'_>, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let end = self.hours.last().copied().unwrap_or(0.0).max(1e-3);
        let (low, high) = self.range();
        let mut chart = ChartBuilder::on(root)
            .margin_top(10)
            .margin_right(14)
            .x_label_area_size(26)
            .y_label_area_size(54)
            .build_cartesian_2d(0.0..end, low..high)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .max_light_lines(0)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .x_labels(7)
            .y_labels(5)
            .x_label_formatter(&|hour| clock(*hour, end))
            .y_label_formatter(&|value| (self.unit)(*value))
            .label_style((FONT, FONT_SIZE).into_font().color(&INK))
            .draw()?;

        if self.zero {
            chart.draw_series([PathElement::new([(0.0, 0.0), (end, 0.0)], ZERO.mix(0.7))])?;
        }
        for line in self.lines.iter().filter(|l| l.area) {
            let points = thin(self.hours, line.values);
            chart.draw_series(
                AreaSeries::new(points, 0.0, line.color.mix(0.25)).border_style(line.color),
            )?;
        }
        for line in self.lines.iter().filter(|l| !l.area) {
            let points = thin(self.hours, line.values);
            chart.draw_series(LineSeries::new(points, line.color.stroke_width(2)))?;
        }
        let marks = self
            .marks
            .iter()
            .map(|m| TriangleMarker::new((m.hour, m.value), 6, m.color.filled()));
        chart.draw_series(marks)?;
        Ok(())
    }

    /// A little more than the values span.
    fn range(&self) -> (f64, f64) {
        let zero = (self.zero || self.lines.iter().any(|l| l.area)).then_some(0.0);
        let all = || {
            self.lines
                .iter()
                .flat_map(|l| l.values.iter().copied())
                .chain(self.marks.iter().map(|m| m.value))
                .chain(zero)
                .filter(|v| v.is_finite())
        };
        let (low, high) = (
            all().fold(f64::MAX, f64::min),
            all().fold(f64::MIN, f64::max),
        );
        if low > high {
            return (0.0, 1.0);
        }
        let room = (high - low).max(high.abs() * 1e-3).max(1e-6) * 0.07;
        let bottom = if zero.is_some() && low >= 0.0 {
            0.0
        } else {
            low - room
        };
        (bottom, high + room)
    }
}

fn clock(hour: f64, end: f64) -> String {
    if end > 48.0 {
        format!("day {:.1}", hour / 24.0)
    } else {
        format!("{} h", (hour * 10.0).round() / 10.0)
    }
}

/// Of each stretch the lowest and the highest point, in order: no extreme is lost.
fn thin(hours: &[f64], values: &[f64]) -> Vec<(f64, f64)> {
    let points: Vec<(f64, f64)> = hours.iter().copied().zip(values.iter().copied()).collect();
    if points.len() <= MAX_POINTS {
        return points;
    }
    let stretch = (points.len() * 2).div_ceil(MAX_POINTS);
    let mut kept = Vec::with_capacity(MAX_POINTS + 2);
    kept.extend(points.first());
    for chunk in points.chunks(stretch) {
        let extreme = |sign: f64| {
            chunk
                .iter()
                .min_by(|a, b| (a.1 * sign).total_cmp(&(b.1 * sign)))
        };
        let (Some(low), Some(high)) = (extreme(1.0), extreme(-1.0)) else {
            continue;
        };
        kept.extend(if low.0 <= high.0 {
            [low, high]
        } else {
            [high, low]
        });
    }
    kept.extend(points.last());
    kept
}

/// A group of horizontal bars, one under the other, growing from a common zero.
pub struct BarRow {
    pub name: String,
    pub bars: Vec<Bar>,
}

pub struct Bar {
    pub value: f64,
    /// A thin line on to here, and a tick at the value before.
    pub whisker: Option<(f64, f64)>,
    pub color: RGBColor,
    pub text: String,
}

const BAR_HEIGHT: i32 = 15;
const BAR_GAP: i32 = 3;
const ROW_GAP: i32 = 14;
const NAME_WIDTH: i32 = 190;
const TEXT_WIDTH: i32 = 150;

pub fn bars(label: &str, width: u32, rows: &[BarRow]) -> anyhow::Result<String> {
    let bar_count: usize = rows.iter().map(|r| r.bars.len()).sum();
    let height = bar_count as i32 * (BAR_HEIGHT + BAR_GAP) + rows.len() as i32 * ROW_GAP + 6;
    let size = (width, height.max(20).unsigned_abs());
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        draw_bars(&root, rows, width as i32)
            .map_err(|e| anyhow::anyhow!("drawing {label}: {e}"))?;
        root.present()
            .map_err(|e| anyhow::anyhow!("drawing {label}: {e}"))?;
    }
    Ok(embed(&svg, label, size))
}

fn draw_bars(
    root: &DrawingArea<SVGBackend<'_>, Shift>,
    rows: &[BarRow],
    width: i32,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    let reach = |f: fn(f64, f64) -> f64| {
        let ends = rows
            .iter()
            .flat_map(|r| &r.bars)
            .flat_map(|b| [b.value, b.whisker.map_or(b.value, |w| w.1)]);
        ends.fold(0.0, f)
    };
    let (low, high) = (reach(f64::min), reach(f64::max));
    let left = NAME_WIDTH + if low < 0.0 { TEXT_WIDTH } else { 0 };
    let right = width - if high > 0.0 { TEXT_WIDTH } else { 10 };
    let scale = f64::from(right - left) / (high - low).max(1e-9);
    let x = |value: f64| left + ((value - low) * scale).round() as i32;
    let text = |h: HPos| {
        TextStyle::from((FONT, FONT_SIZE))
            .color(&INK)
            .pos(Pos::new(h, VPos::Center))
    };

    let mut y = 4;
    for row in rows {
        let height = row.bars.len() as i32 * (BAR_HEIGHT + BAR_GAP);
        let middle = y + (height - BAR_GAP) / 2;
        root.draw(&Text::new(
            row.name.clone(),
            (NAME_WIDTH - 12, middle),
            text(HPos::Right),
        ))?;
        for bar in &row.bars {
            let half = y + BAR_HEIGHT / 2;
            root.draw(&Rectangle::new(
                [(x(0.0), y), (x(bar.value), y + BAR_HEIGHT)],
                bar.color.filled(),
            ))?;
            let mut end = x(bar.value);
            if let Some((from, to)) = bar.whisker {
                root.draw(&PathElement::new(
                    [(x(from), half), (x(to), half)],
                    INK.stroke_width(1),
                ))?;
                for at in [from, to] {
                    root.draw(&PathElement::new(
                        [(x(at), half - 4), (x(at), half + 4)],
                        INK.stroke_width(1),
                    ))?;
                }
                end = x(to);
            }
            let (at, side) = if bar.value < 0.0 {
                (end - 8, HPos::Right)
            } else {
                (end + 8, HPos::Left)
            };
            root.draw(&Text::new(bar.text.clone(), (at, half), text(side)))?;
            y += BAR_HEIGHT + BAR_GAP;
        }
        y += ROW_GAP;
    }
    root.draw(&PathElement::new(
        [(x(0.0), 0), (x(0.0), y - ROW_GAP)],
        GRID,
    ))
}

/// Makes a drawing part of a page: the page's colours, a label, a width that follows the page.
fn embed(svg: &str, label: &str, (width, height): (u32, u32)) -> String {
    let body = svg.find('>').map_or(svg, |end| &svg[end + 1..]);
    let body = body
        .replace("fill=\"#010203\"", "fill=\"currentColor\"")
        .replace("stroke=\"#010203\"", "stroke=\"currentColor\"")
        .replace(
            "stroke=\"#040506\"",
            "stroke=\"currentColor\" stroke-opacity=\"0.16\"",
        );
    let label = super::html::escape(label);
    format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">{body}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_ends_and_extremes() {
        let hours: Vec<f64> = (0..10_000).map(f64::from).collect();
        let mut values = vec![1.0; 10_000];
        values[5_001] = -7.0;
        values[5_002] = 9.0;
        let kept = thin(&hours, &values);

        assert!(kept.len() <= MAX_POINTS + 2);
        assert!(kept.contains(&(5_001.0, -7.0)) && kept.contains(&(5_002.0, 9.0)));
        assert_eq!((kept[0].0, kept[kept.len() - 1].0), (0.0, 9_999.0));
        assert!(kept.windows(2).all(|w| w[0].0 <= w[1].0));
    }

    #[test]
    fn a_chart_of_nothing_and_of_a_constant_can_be_drawn() {
        for values in [&[][..], &[5.0, 5.0][..], &[0.0, 0.0][..]] {
            let hours = &[0.0, 1.0][..values.len()];
            let lines = vec![Line {
                values,
                color: CROSS,
                area: false,
            }];
            let chart = LineChart {
                label: "a & b".to_owned(),
                size: (400, 200),
                hours,
                lines,
                marks: Vec::new(),
                zero: false,
                unit: super::super::money::short,
            };
            let svg = chart.render().unwrap();

            assert!(svg.starts_with("<svg viewBox") && svg.trim_end().ends_with("</svg>"));
            assert!(svg.contains("a &amp; b"));
        }
        assert!(bars("none", 400, &[]).is_ok());
    }

    #[test]
    fn no_stand_in_colour_is_left() {
        let bar = Bar {
            value: -3.0,
            whisker: Some((-4.0, 2.0)),
            color: CROSS,
            text: "x".to_owned(),
        };
        let svg = bars(
            "b",
            600,
            &[BarRow {
                name: "n".to_owned(),
                bars: vec![bar],
            }],
        )
        .unwrap();

        assert!(!svg.contains("#010203") && !svg.contains("#040506"));
        assert!(svg.contains("currentColor"));
    }
}
