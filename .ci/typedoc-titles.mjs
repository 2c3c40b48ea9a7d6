/** Calls the guides on the site by their headings, not by the names of their files. */
import { Converter, ReflectionKind } from 'typedoc';

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const guide of project.getReflectionsByKind(ReflectionKind.Document)) {
      const [first] = guide.content;
      const heading = /^\s*# (.*)\n/.exec(first?.text ?? '');
      if (!heading) continue;
      guide.name = heading[1].replaceAll('`', '');
      // the page shows its name above the content
      first.text = first.text.slice(heading[0].length);
    }
  });
}
