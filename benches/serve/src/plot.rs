//! The ratios as a picture.

use std::fmt::Write as _;

use crate::contestants::Contestant;
use crate::results::Results;
use crate::workloads::Workload;

const LEFT: usize = 250;
const SCALE: f64 = 380.0;
const BAR: usize = 14;

fn colour(contestant: Contestant) -> &'static str {
    match contestant {
        Contestant::Floor => "#9aa0a6",
        Contestant::Sdk => "#1a73e8",
        Contestant::Service => "#12805c",
        Contestant::Published => "#c26401",
        Contestant::TypeScript => "#8e44ad",
    }
}

/// Bars of each contestant's share of the floor's speed, with the goals as marks.
pub(crate) fn svg(results: &Results) -> Result<String, std::fmt::Error> {
    let (mut body, mut y) = (String::new(), 34);
    for workload in Workload::ALL {
        let bars = Contestant::ALL.into_iter().filter(|one| *one != Contestant::Floor);
        let bars: Vec<_> =
            bars.filter_map(|one| Some((one, results.ratio(one, workload)?))).collect();
        if bars.is_empty() {
            continue;
        }
        writeln!(
            body,
            r#"<text x="8" y="{}" font-weight="bold">{}</text>"#,
            y + 12,
            workload.key()
        )?;
        writeln!(
            body,
            r##"<text x="8" y="{}" fill="#5f6368">{}</text>"##,
            y + 28,
            workload.what()
        )?;
        for (contestant, ratio) in bars {
            let (width, fill) = (ratio.min(1.2) * SCALE, colour(contestant));
            writeln!(
                body,
                r#"<rect x="{LEFT}" y="{y}" width="{width:.1}" height="{BAR}" fill="{fill}"/><text x="{:.1}" y="{}">{ratio:.2}</text>"#,
                width + 256.0,
                y + 12,
            )?;
            if let Some(goal) = workload.goal(contestant) {
                let x = goal * SCALE + 250.0;
                writeln!(
                    body,
                    r##"<path d="M{x:.1} {y}v{BAR}" stroke="#d93025" stroke-width="2"/>"##
                )?;
            }
            y += BAR + 4;
        }
        y += 16;
    }
    let mut legend = String::new();
    for (place, contestant) in Contestant::ALL.into_iter().skip(1).enumerate() {
        let x = 8 + place * 178;
        writeln!(
            legend,
            r#"<rect x="{x}" y="8" width="12" height="12" fill="{}"/><text x="{}" y="18">{}</text>"#,
            colour(contestant),
            x + 17,
            contestant.name()
        )?;
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"740\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"740\" height=\"{height}\" fill=\"white\"/>\n{legend}{body}\
         <path d=\"M{floor} 30V{end}\" stroke=\"#9aa0a6\"/><text x=\"8\" y=\"{foot}\" fill=\"#5f6368\">\
         Share of the floor's speed by CPU time of a call; longer is faster, the grey line is the floor, red marks are goals.</text>\n</svg>\n",
        height = y + 24,
        floor = f64::from(250) + SCALE,
        end = y,
        foot = y + 12,
    ))
}
