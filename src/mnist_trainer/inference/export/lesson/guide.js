export function mountGuide() {}
