// Places for points that are connected: those that are linked attract, all others push each other away
// (Fruchterman and Reingold 1991). Always the same for the same points.

const rounds = 220;

/** A map from each id to {x, y} within the size; `middle` stays in the centre. */
export function layout(ids, links, { width, height, middle }) {
  const points = ids.map((id, i) => {
    // A spiral as the start: no two points are in the same place.
    const angle = i * 2.399963;
    const far = Math.sqrt((i + 0.5) / ids.length) * 0.42;
    return { id, x: id === middle ? 0 : Math.cos(angle) * far,
      y: id === middle ? 0 : Math.sin(angle) * far };
  });
  const places = new Map(points.map((point) => [point.id, point]));
  const pairs = links.map((link) => [places.get(link.source),
    places.get(link.target)]).filter(([a, b]) => a && b && a !== b);
  const wanted = 0.75 / Math.sqrt(Math.max(1, ids.length));
  for (let round = 0; round < rounds; round += 1) {
    const heat = 0.08 * (1 - round / rounds);
    for (const point of points) { point.dx = -point.x * 0.6 * wanted; point.dy = -point.y * 0.6 * wanted; }
    for (let i = 0; i < points.length; i += 1) {
      for (let j = i + 1; j < points.length; j += 1) push(points[i], points[j], wanted);
    }
    for (const [a, b] of pairs) pull(a, b, wanted);
    for (const point of points) {
      if (point.id === middle) continue;
      const length = Math.hypot(point.dx, point.dy) || 1;
      const most = Math.min(length, heat);
      point.x += (point.dx / length) * most;
      point.y += (point.dy / length) * most;
    }
  }
  return fit(points, width, height, middle);
}

function push(a, b, wanted) {
  const x = a.x - b.x;
  const y = a.y - b.y;
  const square = Math.max(1e-5, x * x + y * y);
  const force = (wanted * wanted) / square;
  a.dx += x * force; a.dy += y * force;
  b.dx -= x * force; b.dy -= y * force;
}

function pull(a, b, wanted) {
  const x = a.x - b.x;
  const y = a.y - b.y;
  const force = Math.hypot(x, y) / wanted;
  a.dx -= x * force; a.dy -= y * force;
  b.dx += x * force; b.dy += y * force;
}

/** Stretches the points over the room, each way by itself, and leaves a margin. */
function fit(points, width, height, middle) {
  const margin = { x: 70, y: 32 };
  const reach = (key) => Math.max(1e-6, ...points.map((point) => Math.abs(point[key])));
  const low = (key) => Math.min(...points.map((point) => point[key]));
  const high = (key) => Math.max(...points.map((point) => point[key]));
  const place = (point, key, size, edge) => {
    const room = size - 2 * edge;
    if (middle) return size / 2 + (point[key] / reach(key)) * (room / 2);
    return edge + ((point[key] - low(key)) / Math.max(1e-6, high(key) - low(key))) * room;
  };
  return new Map(points.map((point) => [point.id,
    { x: place(point, "x", width, margin.x), y: place(point, "y", height, margin.y) }]));
}
