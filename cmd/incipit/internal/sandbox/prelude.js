// What stands between a child and nunjucks: it makes an environment as
// promptfoo does (nothing is escaped, JSON is loaded by a filter) but without
// anything to include, and with an env that knows only what it was given.
(function (nunjucks) {
  'use strict';
  var maxTemplates = 500;
  var given = {};
  var env = new nunjucks.Environment([], { autoescape: false, dev: true }); // dev: errors keep their line

  env.addGlobal('env', new Proxy({}, {
    get: function (_, name) {
      if (typeof name !== 'string' || Object.prototype.hasOwnProperty.call(given, name)) return given[name];
      if (name in Object.prototype) return Object.prototype[name];
      throw new Error('env.' + name + ' is not given to templates: allow it by name, or use a variable');
    },
    has: function (_, name) { return Object.prototype.hasOwnProperty.call(given, name); },
    ownKeys: function () { return Object.keys(given).sort(); },
    getOwnPropertyDescriptor: function (_, name) {
      if (!Object.prototype.hasOwnProperty.call(given, name)) return undefined;
      return { value: given[name], enumerable: true, configurable: true, writable: false };
    }
  }));
  env.addFilter('load', function (text) { return JSON.parse(text); });

  // A template must not make code of texts: what it would leave behind would
  // be there for the next one. nunjucks itself got Function by another way.
  Object.defineProperty(Function.prototype, 'constructor', { value: undefined });

  // nunjucks counts lines from 1 in what it says of a template's text. In what
  // it says of one that runs it counts from 0, and the line is that of the last
  // call: believed only where the call itself is what failed.
  function fail(e, runs) {
    var known = e && typeof e.lineno === 'number' && (!runs || /Unable to call/.test(e.message));
    var line = known ? '[Line ' + (e.lineno + (runs ? 1 : 0)) + '] ' : '';
    var message = String(e && e.message || e)
      .replace(/(Template render error: )?\(template\)( \[Line \d+(, Column \d+)?\])?\s*/g, '')
      .replace(/^(Error: )+/, '');
    throw new Error(line + message);
  }

  var templates = new Map();
  function compiled(source) {
    var template = templates.get(source);
    if (template) return template;
    if (templates.size >= maxTemplates) templates.clear();
    template = new nunjucks.Template(source, env, 'template');
    try { template.compile(); } catch (e) { fail(e, false); }
    templates.set(source, template);
    return template;
  }

  return function (source, vars, names) {
    given = names;
    var template = compiled(source);
    try { return template.render(vars); } catch (e) { fail(e, true); }
  };
})
