//! How long each part of a call takes: `cargo bench -p bench-serve --bench parts`.

mod workloads;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use workloads::{Part, Workload};

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    for part in Part::ALL {
        let workload = Workload::of(part);
        let bytes = u64::try_from(part.bytes()).unwrap_or(u64::MAX);
        group.throughput(Throughput::Bytes(bytes));
        group.bench_function(part.name(), |bencher| bencher.iter(|| workload.run()));
    }
}

criterion_group!(benches, parts);
criterion_main!(benches);
