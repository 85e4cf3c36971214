module.exports = (output) => 'file ' + output; module.exports.named = (output) => 'named ' + output;
module.exports.more = (vars) => ({...vars, x: vars.x + ' and more'});
