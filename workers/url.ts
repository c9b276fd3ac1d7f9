const urls = new WeakMap<Request, URL>();

/** A request's URL, taken apart once however many look at it. Not to be changed. */
export function urlOf(request: Request): URL {
  const known = urls.get(request);
  if (known) return known;
  const url = new URL(request.url);
  urls.set(request, url);
  return url;
}
