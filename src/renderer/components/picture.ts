/** On paper, whatever the page's theme: dark marks on white. */
const ink = { color: '#1a1b1e', background: '#ffffff' };

/** Pixels of a saved picture for one of the chart's units. */
const scale = 2;

/** An SVG of the page as a file of its own. */
export function pictureOf(svg: SVGSVGElement): string {
  const copy = svg.cloneNode(true);
  if (!(copy instanceof SVGSVGElement)) return '';
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  copy.setAttribute('color', ink.color);
  copy.style.background = ink.background;
  return new XMLSerializer().serializeToString(copy);
}

/** The same as a PNG of twice its size, base64. */
export async function pngOf(svg: SVGSVGElement): Promise<string> {
  const { width, height } = svg.viewBox.baseVal;
  const address = URL.createObjectURL(new Blob([pictureOf(svg)], { type: 'image/svg+xml' }));
  try {
    const image = new Image(width, height);
    image.src = address;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [width * scale, height * scale];
    const context = canvas.getContext('2d');
    if (context === null) return '';
    context.fillStyle = ink.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/png').replace(/^data:image\/png;base64,/, '');
  } finally {
    URL.revokeObjectURL(address);
  }
}
