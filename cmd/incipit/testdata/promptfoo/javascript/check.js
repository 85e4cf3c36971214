module.exports = (output, context) => output === 'hello';
module.exports.score = (output, context) => ({pass: true, score: 0.1 * ((context.config && context.config.factor) || 1), reason: 'scored'});
module.exports.loud = (output) => output.toUpperCase();
