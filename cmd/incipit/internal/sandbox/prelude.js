// What stands between a child and nunjucks: it makes an environment as
// promptfoo does (nothing is escaped, JSON is loaded by a filter) but without
// anything to include, and with an env that knows only what it was given.
(function (nunjucks) {
  'use strict';
  var maxTemplates = 500;
  var given = {};
  var env = new nunjucks.Environment([], { autoescape: false });

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

  var templates = new Map();
  return function (source, vars, names) {
    given = names;
    var template = templates.get(source);
    if (!template) {
      if (templates.size >= maxTemplates) templates.clear();
      template = new nunjucks.Template(source, env, 'template');
      templates.set(source, template);
    }
    return template.render(vars);
  };
})
